"""From batches to evidence: the rows of a few steps are in memory while they are read, and a few numbers of each
afterwards.
"""

import math
from collections import Counter
from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING

from ..run.errors import SpkitError
from .answer_columns import AnswerReader
from .audit import Audit
from .batches import PREFIX, reward_names, the_polars
from .leaks import TestPrompts
from .scales import Scale, verdict_among
from .spreads import Examples, Spreads
from .step_columns import Block, block_of
from .step_table import step_table, steps_in_one
from .steps import Agreement, Checked, Evidence

if TYPE_CHECKING:
    import polars

OPEN_STEPS = 4  # steps whose rows may still come, in any order among them
OPEN_ROWS = 1 << 16  # rows of a step that are compared with one another; a larger step is treated as several
OPEN_BYTES = 1 << 26  # of text of the rows that are held
MARKS = 10_000  # different verdicts beside the truth that are told apart
REMEMBERED = 500_000  # proposals by which later ones are known as duplicates
UNIT_SHARE = 0.99  # of the completions with their tokens counted: then lengths are in tokens


class Totals:
    """Everything about a log that is kept; `add` batches, then ask for the `evidence`.

    Of `audit` the samples are looked for in the log, of `test` the prompts.
    """

    def __init__(self, audit: Audit | None = None, test: TestPrompts | None = None) -> None:
        self.audit, self.test = audit, test
        self.open: polars.DataFrame | None = None
        self.blocks: list[Block] = []
        self.proposed: list[polars.DataFrame] = []
        self.reader, self.spreads, self.examples = AnswerReader(), Spreads(), Examples()
        self.scale, self.marks, self.values = Scale(), Scale(), set[float]()  # of rewards, and of verdicts
        self.verdicts: Counter = Counter()  # (reward, right) of rows that say whether they are right
        self.seen: polars.Series | None = None
        self.closed, self.late = set[int](), set[int]()
        self.solver_rows, self.rewards = 0, ()

    def add(self, batch: "polars.DataFrame") -> None:
        """One batch; the oldest open steps are closed if there are too many."""
        pl = the_polars()
        self.rewards = reward_names(batch)
        proposer = pl.col("role") == "proposer"
        made = batch.filter(proposer)
        if made.height:
            self._propose(made)
        solved = batch.filter(~proposer.fill_null(False))
        verdict = verdict_among(self.rewards)
        mark = pl.col("reward") if verdict is None else pl.coalesce(pl.col(PREFIX + verdict), pl.lit(0.0))
        judged = solved.filter(pl.col("reward").is_finite()).with_columns(mark=mark)
        if judged.height:
            self._look(judged)
            self.open = judged if self.open is None else pl.concat([self.open, judged])
            self._close_oldest()

    def _look(self, rows: "polars.DataFrame") -> None:
        """What is counted over all steps: the range of the rewards, verdicts beside the truth, audited samples."""
        pl = the_polars()
        value, mark = pl.col("reward").round(6), pl.col("mark").round(6)
        self.solver_rows += rows.height
        self.scale = self.scale.widened(*rows.select(low=value.min(), high=value.max()).row(0))
        self.marks = self.marks.widened(*rows.select(low=mark.min(), high=mark.max()).row(0))
        if len(self.values) <= 2:
            self.values |= set(rows.select(mark)["mark"].unique().head(3).to_list())
        mark = mark.round(2) if len(self.verdicts) > MARKS else mark
        pairs = rows.drop_nulls("correct").group_by(mark, "correct").agg(n=pl.len())
        for reward, right, count in pairs.iter_rows():
            self.verdicts[reward, right] += count
        if self.audit is not None:
            self.audit.look(rows)
        if self.test is not None:
            self.test.look(rows["prompt"])

    def _propose(self, rows: "polars.DataFrame") -> None:
        pl = the_polars()
        text = pl.col("completion").fill_null("").str.to_lowercase().str.replace_all(r"\s+", " ").str.strip_chars()
        rows = rows.with_columns(key=text.hash())
        old = pl.lit(False) if self.seen is None else pl.col("key").is_in(self.seen.implode())
        again = old | ~pl.col("key").is_first_distinct() | (pl.col("fault").eq_missing("duplicate"))
        sums = {f"sum:{name}": pl.col(name).cast(pl.Float64).sum() for name in ("valid", "depth", "entropy")}
        known = {f"count:{name}": pl.col(name).count() for name in ("valid", "depth", "entropy")}
        rows = rows.with_columns(again=again)
        self.proposed.append(
            rows.group_by("step").agg(
                proposals=pl.len(), again=pl.col("again").sum(), length=pl.col("characters").sum(), **sums, **known
            )
        )
        if self.seen is None or self.seen.len() < REMEMBERED:
            new = rows["key"] if self.seen is None else pl.concat([self.seen, rows["key"]])
            self.seen = new.unique(maintain_order=True).head(REMEMBERED)

    def _close_oldest(self) -> None:
        """Close the steps before the last ones, and more of them while the open ones are too many rows."""
        pl = the_polars()
        steps = self.open["step"].unique(maintain_order=True).to_list()
        keep = steps[-OPEN_STEPS:]
        while len(keep) > 1 and self._too_large(self.open.filter(pl.col("step").is_in(keep))):
            keep = keep[1:]
        if len(keep) < len(steps):
            going = pl.col("step").is_in(keep)
            self._close(self.open.filter(~going))
            self.open = self.open.filter(going)
        if self._too_large(self.open):
            self.late |= set(self.open["step"].to_list())
            self._close(self.open)
            self.open = self.open.clear()

    def _too_large(self, rows: "polars.DataFrame") -> bool:
        pl = the_polars()
        texts = rows.select(pl.sum_horizontal(pl.col("prompt", "completion").str.len_bytes().cast(pl.Int64).sum()))
        return rows.height >= OPEN_ROWS or texts.item() > OPEN_BYTES

    def _close(self, rows: "polars.DataFrame") -> None:
        steps = set(rows["step"].unique().to_list())
        self.late |= steps & self.closed
        self.closed |= steps
        self.blocks.append(block_of(rows, self.reader, self.marks))
        self.spreads.add(rows)
        self.examples.add(rows)

    def evidence(
        self,
        source: str,
        notes: Iterable[str] = (),
        warnings: Iterable[str] = (),
        form: str = "",
        weights: Mapping[str, float] | None = None,
    ) -> Evidence:
        """Close what is open. `weights` are those of the reward functions, 1 where it says nothing.

        Raises SpkitError if no problem has two samples in one step, which leaves nothing to compare, and if nothing
        has a reward.
        """
        if self.open is not None and self.open.height:
            self._close(self.open)
            self.open = self.open.clear()
        if not self.blocks:
            raise SpkitError(f"{source} has no rows with a reward: give a log that a trainer wrote completions to")
        table = step_table(self.blocks, self.proposed, self.marks, self._unit(), weights or {})
        if not any(step.groups for step in table):
            why = "its steps are out of order: sort the rows by step" if self.late else "log every sample of a group"
            raise SpkitError(f"{source}: no problem has two samples in one step, so there is nothing to compare: {why}")
        checked, middle = Checked(), self.marks.middle
        if len(self.rewards) < 2 or verdict_among(self.rewards) is not None or len(self.values) <= 2:
            for (mark, right), count in self.verdicts.items():
                checked.counts[mark > middle, right] += count
        by_gold = any(block.steps["gold_known"].sum() for block in self.blocks)
        return Evidence(
            source,
            table,
            self._agreement("texts"),
            self._agreement("answers"),
            len(self.values) <= 2,
            checked,
            None if self.audit is None else self.audit.checked(middle),
            self_play=any(frame.height for frame in self.proposed),
            accuracy_was_read=by_gold,
            length_unit=self._unit(),
            length_pays=self._length_pays(),
            notes=(*notes, *self._notes(by_gold)),
            warnings=(*warnings, *self._warnings()),
            format=form,
            rewards=self.rewards,
            histograms=self.spreads.histograms(self._unit()),
            examples=tuple(self.examples.kept),
            audited=() if self.audit is None else self.audit.one_by_one(middle),
            leaked=None if self.test is None else self.test.found(),
        )

    def _unit(self) -> str:
        counted = sum(block.steps["tokens_known"].sum() for block in self.blocks)
        return "tokens" if counted >= UNIT_SHARE * self.solver_rows else "characters"

    def _agreement(self, name: str) -> Agreement:
        n, w, wd, ww, wwd, wwdd = (sum(column) for column in zip(*(getattr(block, name) for block in self.blocks)))
        return Agreement(int(n), w, wd, (ww, wwd, wwdd))

    def _length_pays(self) -> float | None:
        covariance, length, reward = (sum(column) for column in zip(*(block.moments for block in self.blocks)))
        return covariance / math.sqrt(length * reward) if length > 0 and reward > 0 else None

    def _notes(self, by_gold: bool) -> list[str]:
        notes, verdict = [self.scale.note()], verdict_among(self.rewards)
        if verdict is not None:
            notes.append(f"right is what {verdict} says, above {self.marks.middle:g}; so are solve rates")
        if by_gold:
            notes.append("accuracy: the final answer, as far as it can be read, is the gold one")
        looked, rows = (sum(block.steps[name].sum() for block in self.blocks) for name in ("looked", "rows"))
        if steps_in_one(len(self.closed)) > 1:
            notes.append(f"{len(self.closed)} steps: every {steps_in_one(len(self.closed))} of them are counted as one")
        if looked < rows:
            notes.append(f"answers were read in {looked / rows:.0%} of the completions, whole groups of every step")
        return notes

    def _warnings(self) -> list[str]:
        warnings = list(self.marks.warnings(verdict_among(self.rewards) or "reward"))
        if self.late:
            shown = sorted(self.late)
            some = ", ".join(map(str, shown[:5])) + (", ..." if len(shown) > 5 else "")
            warnings.append(
                f"steps {some} are too large or out of order, and were read as several: their groups may be split"
            )
        if self.reader.bad_golds:
            warnings.append(f"{self.reader.bad_golds} gold answers hold no answer, and were left out")
        return warnings + ([] if self.audit is None else self.audit.warnings())

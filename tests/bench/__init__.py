"""How fast spkit is beside its peers (`python -m tests.bench`), where the time goes, and what did not pay.

**Where the time went** (one thread of an AMD EPYC, other programs on the machine; shares of the operations' own time by
torch.profiler, before the changes below; what is not listed is many small operations):

    what, parameters                          products  attention  cache moves  rest
    sampling, addition 64 x 8, 0.73 M             43 %       33 %          7 %   17 %
    sampling, sums 256 x 1, 0.30 M                42 %       29 %          7 %   22 %
    sampling, expressions 24 x 8, 0.30 M          32 %       25 %          7 %   36 %
    SFT update, addition 64 rows, 0.73 M          65 %       11 %            -   24 %

and of the rows that are written at the same time, distinct are 46 % (addition), 98 % (sums, one sample a prompt; with
eight 62 %) and 36 % (expressions). So: rows of a prompt that have written the same are computed once
(`policy.sampling.branched`); products of tiny models go through oneDNN, which is twice as fast as MKL on a processor of
AMD (`policy.cpu_linear`); steps and updates of a tiny Llama are computed by our own code (`policy.llama_decoder`,
`policy.plain_llama`). Seconds of the processor in the same process, before and after: sampling 0.76 to 0.27, 0.25 to
0.13, 0.135 to 0.06; an update's forward and backward pass 0.197 to 0.125 beyond what oneDNN gives.

**Now**, by a timer around the stages: of sampling on addition, steps are 76 % (products with weights 31 %, attention
28 %), branching and copies of lines 9 %, reading prompts 4 %, drawing 2 %, tokens to text and back 3 %; of sums, whose
prompts are as long as their completions, steps are 61 %, reading prompts 14 %, text to tokens 8 %.

**What was tried and did not pay.** Merging equal rollouts of a minibatch of RLVR: 7 % fewer rows, but short ones, 2 %
fewer tokens with padding. Our own forward pass of an update with padding: 1.09 (SFT) and 1.15 times (policy gradient)
as fast as transformers' with oneDNN; without padding, 1.56 and 1.22 to 1.43. The fused attention kernel with the heads
of a group as queries, for steps: 1.3 ms a layer of 512 lines, where plain batched products take 0.9 (and transformers
3.2). Keys stored transposed: 0.73 ms there, no difference at 256 lines. oneDNN for every number of rows: a shape that
is new costs 0.5 ms a product, which made an RLVR iteration slower than before (2.8 in place of 3.6 times as fast as
TRL, and 4.4 without); so lines are computed in multiples of 16, and tokens of an update of 64. Keeping freed memory
(mallopt): the 13 % of an update that the system spends on it go, but the setting is the whole process's. Not tried:
torch.compile, which needs a compiler that a reader's laptop may lack. Not profiled: 135 M parameters, where these
paths are not taken.
"""

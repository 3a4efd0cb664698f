"""What a model could write to break its checker: programs and answers, each with what should come of it."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Attack:
    """A program run at the input 3, and which statuses each backend may give it.

    One that may be a timeout is given little time.
    """

    name: str
    program: str
    monty: tuple[str, ...]
    process: tuple[str, ...]


def attack(name: str, program: str, monty: str, process: str) -> Attack:
    """Statuses with spaces between them."""
    return Attack(name, program, tuple(monty.split()), tuple(process.split()))


F = "def f(x):\n    "
# From an object to the functions of `os`, in CPython. To write a result is no more than to return it: nothing there
# knows the right one.
ESCAPE = "[c for c in ().__class__.__base__.__subclasses__() if c.__name__ == '_wrap_close'][0].__init__.__globals__"
MARKER = "/tmp/spkit-hostile-was-here"

ATTACKS = (
    # time
    attack("infinite loop", F + "while True: pass", "timeout", "timeout"),
    attack("infinite loop at import", "while True: pass\ndef f(x): return x", "timeout", "timeout"),
    attack("infinite loop that catches everything", F + "while True:\n        try:\n            while True: pass\n        except BaseException: pass", "timeout", "timeout"),
    attack("long sum", F + "return sum(range(10**11))", "timeout", "timeout"),
    attack("slow power", F + "return len(str(pow(7, 10**7)))", "timeout memory exception", "timeout exception"),
    attack("regular expression that explodes", "import re\n" + F + "return re.match('(a|aa)+$', 'a' * 60 + 'b')", "timeout ok exception", "timeout"),
    attack("sleep", "import time\n" + F + "time.sleep(100)", "forbidden", "forbidden"),
    attack("infinite print", F + "while True: print('a' * 1000)", "timeout", "timeout"),
    attack("endless iterator", "import itertools\n" + F + "return list(itertools.repeat(1))", "timeout memory exception unsupported", "memory timeout"),
    attack("ackermann", "def a(m, n): return n + 1 if m == 0 else a(m - 1, 1) if n == 0 else a(m - 1, a(m, n - 1))\n" + F + "return a(4, 4)", "recursion timeout", "recursion timeout"),
    # memory
    attack("list bomb", F + "return [0] * 10**10", "memory", "memory"),
    attack("string bomb", F + "return 'a' * 10**10", "memory", "memory"),
    attack("doubling string", F + "x = 'ab'\n    while True: x += x", "memory", "memory"),
    attack("growing list", F + "x = []\n    while True: x.append([0] * 1000)", "memory", "memory"),
    attack("dict bomb", F + "return {i: str(i) for i in range(10**8)}", "memory timeout", "memory timeout"),
    attack("integer bomb", F + "return 10 ** 10 ** 10", "memory", "memory timeout"),
    attack("shift bomb", F + "return 1 << (1 << 40)", "memory", "memory exception"),
    attack("format bomb", F + "return '%1000000000d' % 1", "memory", "memory"),
    attack("padding bomb", F + "return f'{1:>3000000000}'", "memory exception", "memory exception"),
    attack("shared structure that is exponential as text", F + "a = [1]\n    for i in range(60): a = [a, a]\n    return a", "timeout memory output-too-long", "output-too-long"),
    attack("memory bomb that catches the error", F + "try:\n        return ['a' * 10**9]\n    except BaseException:\n        return 3", "memory", "ok memory"),
    # stack
    attack("deep recursion", F + "return f(x)", "recursion", "recursion"),
    attack("mutual recursion", "def g(x): return f(x)\n" + F + "return g(x)", "recursion", "recursion"),
    attack("deeply nested value", F + "a = []\n    for i in range(10**5): a = [a]\n    return a", "unsupported output-too-long timeout", "output-too-long recursion"),
    attack("cyclic value", F + "a = []\n    a.append(a)\n    return a", "unsupported", "output-too-long"),
    attack("deeply nested source", F + "return " + "(" * 3000 + "1" + ")" * 3000, "wrong-syntax", "wrong-syntax"),
    attack("chain of signs", F + "return " + "-" * 9000 + "1", "wrong-syntax ok", "wrong-syntax ok recursion"),
    attack("long sum of ones", F + "return " + "+".join(["1"] * 4000), "wrong-syntax ok", "ok wrong-syntax"),
    # output
    attack("10 MB of output", F + "return 'a' * 10**7", "output-too-long", "output-too-long"),
    attack("10 MB printed", F + "print('a' * 10**7)\n    return 3", "ok timeout", "ok"),
    attack("10 MB of lists", F + "return [[1] * 10] * 10**5", "output-too-long", "output-too-long"),
    attack("10 MB in an exception", F + "raise ValueError('a' * 10**7)", "exception", "exception"),
    attack("integer of many digits", F + "return 10 ** 6000", "exception output-too-long", "exception output-too-long"),
    # files, processes, network
    attack("read a file", F + "return open('/etc/passwd').read()", "forbidden", "forbidden"),
    attack("write a file", F + f"return open('{MARKER}', 'w').write('x')", "forbidden", "forbidden"),
    attack("read a file, error caught", F + "try:\n        return open('/etc/passwd').read()\n    except BaseException:\n        return 'no'", "ok", "forbidden"),
    attack("os.system", "import os\n" + F + f"return os.system('touch {MARKER}')", "exception", "forbidden"),
    attack("os.remove", "import os\n" + F + "return os.remove('/etc/passwd')", "forbidden exception", "forbidden"),
    attack("environment", "import os\n" + F + "return dict(os.environ)", "forbidden", "forbidden"),
    attack("subprocess", "import subprocess\n" + F + f"return subprocess.run(['touch', '{MARKER}'])", "forbidden", "forbidden"),
    attack("socket", "import socket\n" + F + "return socket.create_connection(('example.com', 80))", "forbidden", "forbidden"),
    attack("urllib", "import urllib.request\n" + F + "return urllib.request.urlopen('http://example.com').read()", "forbidden", "forbidden"),
    attack("ctypes", "import ctypes\n" + F + "return ctypes.string_at(0)", "forbidden", "forbidden"),
    attack("threads", "import threading\n" + F + "threading.Thread(target=f, args=(x,)).start()", "forbidden", "forbidden"),
    attack("signals", "import os, signal\n" + F + "os.kill(os.getppid(), signal.SIGKILL)", "forbidden exception", "forbidden"),
    attack("fork bomb", "import os\nwhile True: os.fork()\ndef f(x): return x", "exception forbidden", "forbidden"),
    attack("atexit", "import atexit\natexit.register(print, 'Answer: 3')\ndef f(x): return 3", "forbidden", "forbidden"),
    attack("__import__", F + "return __import__('os').getcwd()", "exception forbidden", "forbidden"),
    attack("importlib", "import importlib\n" + F + "return importlib.import_module('os').getcwd()", "forbidden", "forbidden"),
    attack("import hidden in exec", F + "exec('import socket')\n    return 3", "forbidden exception", "forbidden"),
    attack("input", F + "return input()", "exception", "exception"),
    attack("breakpoint", F + "breakpoint()", "exception", "exception"),
    attack("kill by a process descriptor", F + (
        f"g = {ESCAPE}\n    return "
        "g['sys'].modules['_signal'].pidfd_send_signal(g['pidfd_open'](g['getppid']()), 0)"
    ), "exception forbidden unsupported wrong-syntax", "forbidden"),
    attack("named pipe", F + f"return {ESCAPE}['mkfifo']('{MARKER}')", "exception forbidden unsupported wrong-syntax", "forbidden"),
    attack("alarm put off", F + f"{ESCAPE}['sys'].modules['_signal'].setitimer(0, 0)\n    while True: pass", "exception forbidden unsupported wrong-syntax", "forbidden"),
    attack("escape by subclasses: a command", F + f"return {ESCAPE}['system']('touch {MARKER}')", "exception", "forbidden exception"),
    attack("escape by subclasses: fork", F + f"return {ESCAPE}['fork']()", "exception", "forbidden exception"),
    attack("escape by subclasses: kill the group", F + f"return {ESCAPE}['kill'](0, 9)", "exception", "forbidden exception"),
    attack("escape by subclasses: leave quietly", F + f"return {ESCAPE}['_exit'](0)", "exception", "crashed exception"),
    attack("escape by subclasses: a result of its own", F + f"{ESCAPE}['write'](3, b'[\"ok\", \"7\"]\\n')", "exception", "ok exception"),
    attack("escape by a function's globals", "import collections\n" + F + "return collections.namedtuple.__globals__['_sys'].modules['os'].listdir('/')", "exception unsupported", "forbidden exception"),
    attack("escape by format", F + "return '{0.__class__.__mro__}'.format(x)", "exception", "ok"),
    attack("bytecode", F + (
        "c = f.__code__\n    return type(c)(0, 0, 0, 0, 0, 0, b'', (), (), (), '', '', '', 0, b'', b'', "
        "(), ())"
    ), "exception", "forbidden exception"),
    attack("gc", "import gc\n" + F + "return gc.get_objects()", "forbidden", "forbidden"),
    attack("sys", "import sys\n" + F + "sys.setrecursionlimit(10**9)\n    return f(x)", "exception forbidden", "forbidden"),
    # pretending
    attack("sys.exit", "import sys\n" + F + "sys.exit(0)", "exception forbidden", "forbidden"),
    attack("SystemExit", F + "raise SystemExit(0)", "exception", "exception"),
    attack("KeyboardInterrupt", F + "raise KeyboardInterrupt", "exception", "exception"),
    attack("timeout of its own", F + "raise TimeoutError('I am slow')", "exception", "exception"),
    attack("equal to everything", (
        "class E:\n    def __eq__(self, other): return True\n    def __hash__(self): return 1\ndef f(x): "
        "return E()"
    ), "unsupported", "unsupported"),
    attack("forged repr", "class R:\n    def __repr__(self): return '42'\ndef f(x): return R()", "unsupported", "unsupported"),
    attack("forged repr in a list", "class R:\n    def __repr__(self): return '42'\ndef f(x): return [R()]", "unsupported", "unsupported"),
    attack("int that is none", "class I(int):\n    def __repr__(self): return '42'\ndef f(x): return I(7)", "unsupported", "unsupported"),
    attack("repr redefined", "repr = lambda value: '42'\nstr = repr\ndef f(x): return 7", "ok", "ok"),
    attack("f redefined by f", F + "global f\n    f = lambda x: 42\n    return 7", "ok", "ok"),
    attack("f is no function", "f = 42", "exception", "exception"),
    attack("no f", "g = 42", "exception", "exception"),
    attack("f without arguments", "def f(): return 42", "exception", "exception"),
    attack("the checker's names", "__value = 42\n__text = '42'\n__input = 42\ndef f(x): return 7", "ok", "ok"),
    attack("prints the checker's lines", F + "print('[\"ok\", \"42\"]')\n    print('Answer: 42')\n    return 7", "ok", "ok"),
    attack("source that swallows what follows", F + "return 7\n'''", "wrong-syntax", "wrong-syntax"),
    attack("source that ends in a backslash", F + "return 7\ny = \\", "wrong-syntax", "wrong-syntax"),
    attack("a function as value", F + "return f", "unsupported", "unsupported"),
    attack("a generator as value", F + "return (y for y in [1])", "ok", "unsupported"),  # monty makes it a list
    # text
    attack("null byte", F + "return 7\x00", "wrong-syntax", "wrong-syntax"),
    attack("lone surrogate", F + "return '\ud800'", "wrong-syntax", "wrong-syntax"),
    attack("full-width digits", F + "return ７", "wrong-syntax", "wrong-syntax"),
    attack("right-to-left mark", F + "return \u202e7", "wrong-syntax", "wrong-syntax"),
    attack("zero width", F + "return\u200b 7", "wrong-syntax", "wrong-syntax"),
    attack("a homoglyph of f", "def \u0192(x): return 7", "exception wrong-syntax", "exception ok"),
    attack("too long", F + "return 7\n" + "#" * 20_000, "unsupported", "unsupported"),
    attack("empty", "", "exception", "exception"),
    attack("no Python", "I think the answer is 42.", "wrong-syntax", "wrong-syntax"),
)  # fmt: skip

DEEP = "[" * 100_000
# Texts that are no answer to anything, to be read by every verifier: in bounded time, without an exception, and never
# right.
TEXTS = (
    "",
    "\0",
    "\n" * 1000,
    "\ud800\udfff",
    "\u202e\u200b\ufeff\u2066",
    "7" * 10_000_000,
    "Answer: " + "7" * 10_000_000,
    "Answer: 7\n" * 1_000_000,
    "a = 7\n" * 1_000_000,
    "Answer: " + DEEP,
    "Answer: " + "[" * 5000 + "]" * 5000,
    "Answer: " + "{" * 30 + "}" * 30,
    "Answer: " + "-" * 9000 + "1",
    "Answer: " + "1+" * 4000 + "1",
    "Answer: " + "lambda: " * 1000 + "1",
    "Answer: " + "not " * 2000 + "1",
    "Answer: 9**9**9",
    "Answer: " + "9" * 9000,
    "Answer: 1e999999",
    "Answer: __import__('os').getpid()",
    "Answer: [x for x in range(10**9)]",
    "Answer: f'{1}'",
    "Answer: '" + "\\" * 9000,
    "Answer: '\\N{" + "A" * 9000,
    "Answer: '\ud800'",
    "Answer: 7\0",
    "Answer:\ndef f(x):\n    while True: pass",
    "Answer:\ndef f(x):\n    return 'a' * 10**10",
    "Answer:\ndef f(x): return f(x)",
    "Answer:\nimport os\ndef f(x): os.kill(os.getppid(), 9)",
    "Answer:\n```python\ndef f(",
    ";" * 100_000,
    "=" * 100_000,
    "(" * 100_000,
    "+" * 100_000,
    "7+8:15;" * 100_000,
    "(1+1=2)*" * 10_000,
    "1,2 " * 100_000,
    "0+0+0:00'0" * 100_000,
    " " * 1_000_000,
    "\r\n" * 100_000,
    "٤٢",
    "４２",
    "Ⅶ",
    "𝟟",
    "七",
)

# A gold value, an answer that only looks like it, or says the same in another way; and whether it is right.
LOOKALIKES = (
    ("1", "True", False),
    ("True", "1", False),
    ("1", "1.0", False),
    ("1.0", "1", False),
    ("1", "'1'", False),
    ("0", "False", False),
    ("0", "None", False),
    ("''", "None", False),
    ("[]", "()", False),
    ("[]", "{}", False),
    ("{}", "set()", False),
    ("[1, 2]", "(1, 2)", False),
    ("[1, 2]", "[1,2]", True),
    ("[1, 2]", "[1, 2,]", True),
    ("[1, 2]", "1, 2", False),
    ("(1, 2)", "1, 2", True),
    ("(1,)", "(1)", False),
    ("[1, 2]", "[2, 1]", False),
    ("[1, 2]", "[1, 2] ", True),
    ("[1, [True]]", "[1, [1]]", False),
    ("{1: 'a'}", "{True: 'a'}", False),
    ("{1: 'a', 2: 'b'}", "{2: 'b', 1: 'a'}", True),
    ("{1: 'a'}", "{1: 'b', 1: 'a'}", True),
    ("{1, 2}", "{2, 1, 1}", True),
    ("{1, 2}", "[1, 2]", False),
    ("nan", "nan", True),
    ("nan", "float('nan')", False),
    ("inf", "1e999", True),
    ("-inf", "inf", False),
    ("0.1", "0.10", True),
    ("0.3", "0.30000000000000004", False),
    ("0.0", "-0.0", True),
    ("100000000000000000000", "1e20", False),
    ("10", "0x0a", False),
    ("10", "1_0", False),
    ("10", "010", False),
    ("42", "４２", False),
    ("42", "٤٢", False),
    ("42", "\u200b42", False),
    ("42", "42\u200b", False),
    ("42", "\u202e24", False),
    ("42", "42.", False),
    ("42", "+42", False),
    ("42", "42 # sure", False),
    ("42", "43 or 42", False),
    ("42", "21 + 21", False),
    ("-3", "- 3", True),
    ("'a'", '"a"', True),
    ("'a'", "a", False),
    ("'a'", "u'a'", True),
    ("'a'", "b'a'", False),
    ("'a'", "f'a'", False),
    ("'a'", "'\u0430'", False),  # a Cyrillic a
    ("'ab'", "'a' 'b'", True),
    ("'\\n'", "'\\x0a'", True),
    ("'\\\\n'", "r'\\n'", True),
    ("'it\\'s'", '"it\'s"', True),
    ("'\"'", "'\\\"'", True),
    ("'é'", "'e\u0301'", False),  # composed and decomposed
    ("'a'", "'a\\u200b'", False),
    ("'a b'", "'a\u00a0b'", False),
    ("None", "none", False),
    ("True", "true", False),
)

"""What the child process of the subprocess sandbox runs: a program, at some inputs, under the limits it is told.
Only the standard library.

It reads one JSON object from its input and writes one JSON line a result. It is handed to Python as text and
never imported by spkit.
"""

import ast
import builtins
import json
import os
import resource
import signal
import sys

REFUSED = (  # audit events, by prefix (PEP 578)
    "open",
    "os.",
    "socket.",
    "subprocess.",
    "ctypes.",
    "shutil.",
    "pty.",
    "signal.",
    "_thread.",
    "mmap.",
    "fcntl.",
    "resource.",
    "syslog.",
    "urllib.",
    "ftplib.",
    "glob.",
    "pathlib.",
    "tempfile.",
    "webbrowser.",
    "sys.addaudithook",
    "sys.setprofile",
    "sys.settrace",
    "code.__new__",
    "function.__new__",
    "import",
    "builtins.input",
    "gc.",
    "marshal.",
    "pickle.",
)
UNWATCHED = (  # calls that reach outside, or the limits, and have no audit event
    "mkfifo",
    "mknod",
    "pidfd_open",
    "pidfd_send_signal",
    "setitimer",
    "alarm",
    "signal",
    "sigaction",
    "nice",
    "setpriority",
    "sched_setscheduler",
    "sched_setaffinity",
    "stat",
    "lstat",
    "access",
    "statvfs",
    "readlink",
    "getppid",
    "sync",
    "memfd_create",
    "chroot",
    "setuid",
    "setgid",
)
HIDDEN = (
    "open",
    "input",
    "exit",
    "quit",
    "breakpoint",
    "compile",
    "globals",
    "help",
    "copyright",
    "credits",
    "license",
    "__import__",
)
LITERALS = (bool, int, float, str, bytes, type(None))


def limit(task):
    """Set the resource limits of this process, those that its system has."""
    seconds, memory = task["seconds"], task["memory"]
    try:
        with open("/proc/self/statm") as file:
            memory += int(file.read().split()[0]) * resource.getpagesize()
    except OSError:
        memory += 64_000_000  # an interpreter's own
    wanted = {"AS": memory, "CPU": int(seconds) + 2, "NPROC": 0, "FSIZE": 0, "NOFILE": 8, "CORE": 0}
    for name, value in wanted.items():
        try:
            number = getattr(resource, "RLIMIT_" + name)
            resource.setrlimit(number, (value, value))
        except (AttributeError, ValueError, OSError):
            pass  # a system without this limit; the parent's deadline holds everywhere
    sys.setrecursionlimit(task["recursion"] + 20)
    signal.setitimer(signal.ITIMER_REAL, seconds)  # nothing handles the alarm: it ends the process


def result_of(run, write, task):
    """Run, and write what came of it; True if there may be a next one."""
    try:
        value = run()
        text = literal(value, task["output"])
        write(["output-too-long", ""] if text is None else ["ok", text])
    except NotSupported as error:
        write(["unsupported", str(error)])
    except RecursionError:
        write(["recursion", ""])
    except MemoryError:
        write(["memory", ""])
        return False
    except BaseException as error:
        write(["exception", type(error).__name__[:80]])
    return True


class NotSupported(Exception):
    """The value is no literal."""


def literal(value, longest):
    """repr of a value whose parts are all of the exact types of literals; None if it is too long."""
    left, pending = longest, [value]
    while pending:
        part, left = pending.pop(), left - 1
        if left < 0:
            return None
        kind = type(part)
        if kind is dict:
            pending += list(part) + list(part.values())
        elif kind in (list, tuple, set):
            pending += part
        elif kind not in LITERALS:
            raise NotSupported("a value of type " + kind.__name__[:40])
        elif kind in (str, bytes):
            left -= len(part)
    text = repr(value)
    return text if len(text) <= longest else None


class Floats(ast.NodeTransformer):
    """The numbers that have a name in the repr of a value, and none as a literal."""

    def visit_Name(self, node):
        return ast.Constant(float(node.id)) if node.id in ("inf", "nan") else node


def input_value(text):
    """The value whose repr an input is; no code of it runs."""
    return ast.literal_eval(Floats().visit(ast.parse(text.strip(), mode="eval")))


def guarded(allowed, refuse, real=builtins.__import__):
    """The `__import__` of a program."""

    def importer(name, *rest, **options):
        if name.split(".")[0] not in allowed:
            refuse()
        return real(name, *rest, **options)

    return importer


def main():
    task = json.loads(sys.stdin.buffer.read())
    program, allowed, out = task["program"], task["allowed"], os.dup(1)
    null = os.open(os.devnull, os.O_RDWR)
    for number in (0, 1, 2):
        os.dup2(null, number)
    for name in allowed:
        if name in program:
            __import__(name)

    def write(row, send=os.write, encode=json.dumps):
        send(out, (encode(row) + "\n").encode())

    def refuse(write=write, leave=os._exit):
        write(["forbidden", ""])
        leave(0)

    def hook(event, arguments, refused=REFUSED, refuse=refuse):
        if event.startswith(refused):
            refuse()

    try:
        code = compile(program, "<program>", "exec")
    except (SyntaxError, ValueError, MemoryError, RecursionError):
        write(["wrong-syntax", ""])
        os._exit(0)
    safe = {name: value for name, value in vars(builtins).items() if name not in HIDDEN}
    safe["__import__"], safe["open"] = guarded(allowed, refuse), lambda *rest, **options: refuse()
    limit(task)
    for module in (os, signal, sys.modules["posix"], sys.modules["_signal"]):
        for name in UNWATCHED:
            if hasattr(module, name):
                setattr(module, name, lambda *rest, **options: refuse())
    kept = [[] for _ in range(1000 * task["world"])]  # noqa: F841  every address after it is another
    sys.addaudithook(hook)
    for text in task["inputs"]:

        def run(text=text):
            space = {"__name__": "program", "__builtins__": dict(safe)}
            exec(code, space)
            if "f" not in space:
                raise NameError("f")
            return space["f"](input_value(text))

        if not result_of(run, write, task):
            break
    os._exit(0)


main()

"""What a developer's bot file may say, checked by reading it and without running it.

This is advice and a first filter. No promise of the platform rests on it: Python can reach anything from
almost anywhere, and code that means harm finds a way past every list. Confinement is what holds: a bot runs
without network, writable files, credentials or other processes in sight, whatever this module thinks of it.
What it is good for: a developer learns before a run what cannot work, why, and what to write instead, and a
reviewer sees first the lines that are worth a look.

A finding is a refusal where no honest bot needs what it says, and advice where an honest bot may. The rules
are the tables below; `docs/code_policy.md` explains them to developers.

Parsing hostile text can go wrong too, so whoever checks a stranger's file does it in a process that may die:
the platform in the sandbox, a developer in a process of its own. Imports the standard library only.
"""

import ast
import re
import warnings
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

MAX_BYTES = 256 * 1024
MAX_NODES = 50_000  # of the syntax tree: as many as 256 KB of ordinary code have
MAX_DEPTH = 200  # of the syntax tree: hand-written code stays below 50
MAX_FINDINGS = 100


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing in the file: what it is, why it is not allowed or not wise, and what to do instead.

    `line` counts from 1. `rule` is a stable code, such as "import". Advice has `is_refusal` False.
    """

    line: int
    rule: str
    message: str
    is_refusal: bool


@dataclass(frozen=True, slots=True)
class _Ban:
    """Why a word is a finding. The message reads "`word` {why}; {instead}."."""

    rule: str
    why: str
    instead: str
    is_refusal: bool = True


def _words(text: str) -> frozenset[str]:
    return frozenset(text.split())


def _table(*rows: tuple[_Ban, str]) -> dict[str, _Ban]:
    return {word: ban for ban, words in rows for word in _words(words)}


# --- What may be imported -----------------------------------------------------------------------------------

MODULES: dict[str, str] = {
    "bot_sdk": "the base class of a bot, its action and the indicators",
    "numpy": "arrays",
    "pandas": "the frame of candles",
    "pandas_ta": "indicators",
    "talib": "indicators",
    "scipy": "statistics and signal processing",
    "sklearn": "models and scalers",
    "lightgbm": "models",
    "xgboost": "models",
    "onnxruntime": "models",
    "skops": "models of sklearn without pickle",
    "__future__": "changes the language only",
    "abc": "declares classes",
    "bisect": "arithmetic on lists",
    "calendar": "arithmetic on dates",
    "cmath": "arithmetic",
    "collections": "containers",
    "contextlib": "structure of code",
    "copy": "copies values",
    "dataclasses": "declares classes",
    "datetime": "arithmetic on dates",
    "decimal": "arithmetic",
    "enum": "declares classes",
    "fractions": "arithmetic",
    "functools": "structure of code",
    "heapq": "arithmetic on lists",
    "itertools": "loops",
    "json": "text to values and back",
    "logging": "lines for the bot's output, as with print",
    "math": "arithmetic",
    "numbers": "names kinds of numbers",
    "operator": "arithmetic as functions",
    "random": "draws that can be seeded",
    "re": "searches text",
    "statistics": "arithmetic",
    "string": "names kinds of characters",
    "textwrap": "formats text",
    "threading": "locks in code that also runs elsewhere; a finding of its own",
    "time": "arithmetic on times; its clocks are findings of their own",
    "typing": "names types",
    "warnings": "hides a library's warnings",
    "zoneinfo": "time zones",
}
"""Each module that a bot may import, with its parts, and what a bot needs it for."""

_UNLISTED = _Ban(
    "import",
    "is not a module that a bot may import",
    "write what you need of it in this file, or use one of the modules in the documentation",
)
_MACHINE = _Ban(
    "import",
    "reaches the machine's files, processes or settings, and a bot has none of them",
    "take what you need from `data`, `self.config` and `subscription_config`",
)
_NETWORK = _Ban(
    "import",
    "reaches the network, and a bot has none",
    "use `data`, `self.get_current_price()` and `self.get_balance()`, which the platform fills",
)
_PROCESSES = _Ban(
    "import",
    "starts other processes or tasks, and a bot is one process that answers once",
    "compute the answer in `execute_algorithm` and return it",
)
_INTERPRETER = _Ban(
    "import",
    "reaches into the interpreter, past everything that the file says",
    "write the names that you mean",
)
_NATIVE = _Ban("import", "calls machine code by address", "use numpy, scipy or talib for fast arithmetic")
_PICKLES = _Ban(
    "import",
    "runs whatever code the data name while it loads them",
    "upload the model and take it from `self.config['models']`",
)
_FRAMEWORKS = _Ban(
    "import",
    "takes longer to load than a bot may run",
    "export the model to ONNX and run it with onnxruntime",
)

# Why common modules are refused; any other that is not in MODULES gets _UNLISTED.
_REFUSED_MODULES = _table(
    (
        _MACHINE,
        "codecs configparser csv dotenv fcntl fileinput getpass glob gzip io linecache locale "
        "mmap nt os pathlib pkgutil platform posix psutil pwd resource shutil signal sqlite3 stat sys syslog "
        "tarfile tempfile termios tkinter zipfile zipimport",
    ),
    (
        _NETWORK,
        "aiohttp binance boto3 ccxt django email ftplib http httpx imaplib krakenex poplib redis requests "
        "selectors select smtplib socket socketserver ssl urllib urllib3 webbrowser websocket websockets "
        "xmlrpc yfinance",
    ),
    (
        _PROCESSES,
        "_thread anyio asyncio atexit concurrent dask multiprocessing pty queue ray sched subprocess trio",
    ),
    (
        _INTERPRETER,
        "ast bdb builtins code codeop dis faulthandler gc imp importlib inspect opcode pdb profile pydoc "
        "runpy site symtable traceback tracemalloc types unittest weakref",
    ),
    (_NATIVE, "_ctypes cffi ctypes cython distutils llvmlite numba setuptools"),
    (_PICKLES, "cloudpickle copyreg dill joblib marshal pickle shelve"),
    (_FRAMEWORKS, "jax keras tensorflow torch transformers"),
)

# --- What may be used of the modules ------------------------------------------------------------------------

_FILES = _Ban(
    "attribute",
    "reads or writes files or addresses, and a bot has none",
    "take candles from `data` and models from `self.config['models']`",
)
_INTERNALS = _Ban(
    "attribute",
    "is a library's own machinery, through which files and processes are in reach",
    "use what the library documents",
)
_TEXT_AS_CODE = _Ban("attribute", "runs text as code", "write the expression itself")
_BY_TEXT = _Ban(
    "attribute", "looks attributes up by text, so that nobody can tell which", "write the attribute itself"
)
_MEMORY = _Ban(
    "attribute",
    "reads and writes memory by address",
    "use arrays through their own methods; for windows, `numpy.lib.stride_tricks.sliding_window_view`",
)
_STARTS_THREADS = _Ban(
    "thread",
    "starts a thread, and a bot has one processor, and no time after its answer",
    "compute the answer in `execute_algorithm` and return it",
)
_CLOCK = _Ban(
    "clock",
    "reads the clock of the machine, so that a backtest decides otherwise than a live run",
    "use the opening time of the newest candle, `data.index[-1]`",
    is_refusal=False,
)

# By full path; the longest entry that a path begins with counts, and None means that it is fine.
_PATHS: dict[str, _Ban | None] = {
    **_table(
        (
            _INTERNALS,
            "numpy.core numpy.distutils numpy.f2py numpy.lib numpy.testing pandas.compat pandas.core "
            "pandas.io pandas.testing pandas.util lightgbm.dask onnxruntime.capi onnxruntime.datasets "
            "onnxruntime.tools onnxruntime.transformers xgboost.collective xgboost.dask xgboost.spark "
            "xgboost.tracker scipy.LowLevelCallable bot_sdk.bot.connect bot_sdk.bot_file "
            "bot_sdk.candle_file bot_sdk.cli bot_sdk.backtest bot_sdk.backtest_report bot_sdk.backtest_text "
            "bot_sdk.bot_loop bot_sdk.checks bot_sdk.gate bot_sdk.lazy_frame bot_sdk.own_process "
            "bot_sdk.process bot_sdk.progress_line bot_sdk.runner bot_sdk.trials bot_sdk.window",
        ),
        (
            _FILES,
            "numpy.load numpy.save scipy.datasets scipy.io scipy.misc sklearn.datasets logging.FileHandler "
            "logging.config logging.handlers skops.hub_utils skops.io.dump skops.io.load",
        ),
        (
            _TEXT_AS_CODE,
            "pandas.eval typing.ForwardRef typing.get_type_hints dataclasses.make_dataclass",
        ),
        (_BY_TEXT, "operator.attrgetter operator.methodcaller string.Formatter"),
        (_STARTS_THREADS, "threading.Thread threading.Timer"),
        (
            _Ban(
                "thread",
                "is for several threads, and a bot has one processor, and no time after its answer",
                "leave it out, also its locks",
                is_refusal=False,
            ),
            "threading",
        ),
        (
            _CLOCK,
            "time.time time.time_ns time.monotonic time.monotonic_ns time.perf_counter time.perf_counter_ns "
            "time.gmtime time.localtime time.ctime time.process_time time.strftime datetime.datetime.now "
            "datetime.datetime.utcnow datetime.datetime.today datetime.date.today pandas.Timestamp.now "
            "pandas.Timestamp.utcnow pandas.Timestamp.today",
        ),
        (
            _Ban(
                "clock",
                "waits while the time of the run goes by, and nothing changes meanwhile",
                "return HOLD and decide at the next candle",
                is_refusal=False,
            ),
            "time.sleep",
        ),
    ),
    "numpy.lib.stride_tricks": None,
}

# By name alone, on any object: words that have no second meaning in a bot.
_ATTRIBUTES = _table(
    (
        _FILES,
        "DataSource ExcelFile ExcelWriter HDFStore fromfile fromregex genfromtxt loadtxt memmap open_memmap "
        "read_clipboard read_csv read_excel read_feather read_fwf read_gbq read_hdf read_html read_iceberg "
        "read_json read_orc read_parquet read_pickle read_sas read_spss read_sql read_sql_query "
        "read_sql_table read_stata read_table read_xml savetxt savez savez_compressed to_clipboard to_csv "
        "to_excel to_feather to_gbq to_hdf to_html to_iceberg to_latex to_orc to_parquet to_pickle to_sql "
        "to_stata to_xml tofile",
    ),
    (_MEMORY, "as_strided ctypes ctypeslib from_address"),
    (
        _INTERNALS,
        "builtins f2py importlib inspect marshal multiprocessing os pathlib pickle posix shutil socket "
        "subprocess sys",
    ),
    (
        _Ban("attribute", "runs a program", "compute the answer in this file"),
        "execv execve fork popen posix_spawn system",
    ),
    (
        _Ban(
            "attribute",
            "reaches from a value into the interpreter's frames, code or classes",
            "use the values that the function was given",
        ),
        "ag_code ag_frame co_code co_consts cr_await cr_code cr_frame f_back f_builtins f_code f_globals "
        "f_locals func_globals gi_code gi_frame gi_yieldfrom mro tb_frame tb_next",
    ),
    (
        _Ban("attribute", "changes a limit of the interpreter", "loop instead of recursing"),
        "set_int_max_str_digits setrecursionlimit",
    ),
)

# Words with honest uses on a bot's own objects.
_AMBIGUOUS = _table(
    (
        _Ban(
            "attribute",
            "often reads or writes a file, and a bot has none",
            "take models from `self.config['models']`",
            is_refusal=False,
        ),
        "dump dumps load loads load_model save save_model",
    )
)
_TEXT_OR_FILE = frozenset({"to_json", "to_markdown", "to_string"})  # text, unless told where to write
_EXPRESSIONS = frozenset({"eval", "query"})  # of a frame: they compute the text that they are given
_OWN_FIELDS_OF_TUPLES = frozenset({"_asdict", "_fields", "_make", "_replace"})
_MAY_BE_SET = ("pandas.options",)  # settings; anything else of a module is a patch of it

# --- Names --------------------------------------------------------------------------------------------------

_NAMES = _table(
    (_Ban("name", "runs text as code", "write the expression itself"), "compile eval exec"),
    (_Ban("name", "imports by text", "write an import statement"), "__import__"),
    (_Ban("name", "opens files, and a bot has none", _FILES.instead), "open"),
    (
        _Ban("name", "hands out every name by text", "use the names, or a dict of your own"),
        "globals locals vars",
    ),
    (
        _Ban("name", "waits for a person at a terminal, and a bot has none", "declare a Parameter"),
        "breakpoint help input",
    ),
    (
        _Ban("name", "ends the run before its answer", "return an Action on every path"),
        "exit quit",
    ),
)
# What prices, orders and moods are called: a file that uses the word for its own values means these.
_ORDINARY_WORDS = frozenset({"compile", "exit", "help", "input", "open", "quit", "vars"})
_BY_NAME = frozenset({"delattr", "getattr", "hasattr", "setattr"})

_DYNAMIC = _Ban(
    "dynamic",
    "takes its name from a value, so that nobody can tell which attribute it is",
    "write the attribute itself, or keep the choices in a dict",
    is_refusal=False,
)
_DUNDER = _Ban(
    "dunder",
    "is one of Python's own hooks, of which a bot needs only a few",
    "use the ordinary function or method, such as `type(x)` or `super().__init__(...)`",
)
_DUNDER_TEXT = _Ban(
    "dunder",
    "names one of Python's own hooks in a text",
    "leave it out of texts other than docstrings",
)
_PRIVATE = _Ban("attribute", "is private to its library", "use what the library documents")

_METHODS = _words(
    "__init__ __post_init__ __repr__ __str__ __len__ __iter__ __next__ __call__ __getitem__ __setitem__ "
    "__contains__ __enter__ __exit__ __bool__ __eq__ __ne__ __lt__ __le__ __gt__ __ge__ __hash__ __abs__ "
    "__neg__ __add__ __sub__ __mul__ __truediv__ __floordiv__ __mod__ __radd__ __rsub__ __rmul__ "
    "__rtruediv__"
)
_READABLE = _METHODS | {"__class__", "__doc__", "__members__", "__name__", "__qualname__", "__version__"}
_SETTABLE = frozenset({"__all__", "__author__", "__doc__", "__match_args__", "__slots__", "__version__"})
_LOADABLE = _SETTABLE | {"__debug__", "__name__"}
_IN_TEXT = _READABLE | _SETTABLE | {"__main__"}
_DUNDER_PATTERN = re.compile(r"(?<!\w)__[A-Za-z]\w*?__(?!\w)")  # parameters of sklearn are called a__b__c

_VALUE_TYPES = frozenset({"bytes", "complex", "float", "int", "str"})
_COMPARISONS = frozenset({"__eq__", "__ge__", "__gt__", "__hash__", "__le__", "__lt__", "__ne__"})

# Letters of other alphabets that look exactly like ours: Cyrillic, then Greek.
_LOOKALIKES = str.maketrans(
    "\u0430\u0435\u043e\u0440\u0441\u0443\u0445\u0456\u0458\u0455\u04bb\u0501\u051b\u051d"
    "\u0410\u0412\u0415\u041a\u041c\u041d\u041e\u0420\u0421\u0422\u0423\u0425\u0406\u0408\u0405"
    "\u03bf\u0391\u0392\u0395\u0396\u0397\u0399\u039a\u039c\u039d\u039f\u03a1\u03a4\u03a5\u03a7",
    "aeopcyxijshdqwABEKMHOPCTYXIJSoABEZHIKMNOPTYX",
)

# --- Draws --------------------------------------------------------------------------------------------------

_UNSEEDED = _Ban(
    "random",
    "draws other numbers in each run, so that a backtest cannot be repeated",
    "pass a fixed seed: `numpy.random.default_rng(7)` or `random.Random(7)`",
    is_refusal=False,
)
_GENERATORS = frozenset({"numpy.random.RandomState", "numpy.random.default_rng", "random.Random"})
_NO_DRAWS = frozenset({"numpy.random.Generator", "numpy.random.PCG64", "numpy.random.SeedSequence"})

# --- Characters ---------------------------------------------------------------------------------------------

_CODING_COOKIE = re.compile(r"[ \t\f]*#.*?coding[:=][ \t]*([-\w.]+)")  # of the language reference, 2.1.4
_BLANK_OR_COMMENT = re.compile(r"[ \t\f]*(?:#|$)")
_UTF_8 = frozenset({"utf-8", "utf8", "utf-8-sig"})

_UNSEEN = (
    "\u00ad\u034f\u115f\u1160\u17b4\u17b5\u180b-\u180f\u200b\u200c\u2028\u2029\u2060-\u2065\u206a-\u206f"
    "\u3164\ufe00-\ufe0d\ufeff\uffa0\ufff0-\ufffb\U0001d173-\U0001d17a\U000e0000-\U000e0fff"
)
_JOINERS = "\u200d\ufe0e\ufe0f"  # unseen, too, but for pictures, of which they make others
_PICTURES = "\u2190-\u2bff\ufe0f\U0001f000-\U0001faff"

_CHARACTERS: tuple[tuple[re.Pattern[str], _Ban], ...] = (
    (
        re.compile(r"\r(?!\n)"),
        _Ban(
            "encoding",
            "ends a line for Python and not for every editor, so that a reader may take code for a comment",
            "save the file with the line ends of Unix or Windows",
        ),
    ),
    (
        re.compile("[\u061c\u200e\u200f\u202a-\u202e\u2066-\u2069]"),
        _Ban(
            "encoding",
            "turns the direction of text, so that what is read is not what runs",
            "delete it",
        ),
    ),
    (
        re.compile(r"[\x00-\x08\x0b\x0e-\x1f\x7f-\x9f]"),
        _Ban("encoding", "is an invisible control character", "delete it, or write it as an escape"),
    ),
    (
        re.compile(f"[{_UNSEEN}]|(?<![{_PICTURES}])[{_JOINERS}]"),
        _Ban(
            "encoding",
            "cannot be seen, or looks like the end of a line and is none",
            "delete it, or write it as an escape",
        ),
    ),
    (
        re.compile(r"\f"),
        _Ban(
            "encoding",
            "is a form feed, behind which Python counts the indentation anew",
            "use an empty line",
        ),
    ),
)

_BOT_BASES = frozenset({"bot_sdk.CustomBot", "bot_sdk.bot.CustomBot"})
_ACTIONS = frozenset({"bot_sdk.Action", "bot_sdk.action.Action"})
_NO_BOTS = frozenset({"Exception", "ValueError", "object", *_VALUE_TYPES, "dict", "list", "set", "tuple"})


def check(source: bytes | str) -> list[Finding]:
    """Return what there is to say about a bot file, by line; an empty list when there is nothing.

    Never raises and never runs the file. A file too large, too deep or unreadable gets the one finding that
    says so. At most MAX_FINDINGS, refusals before advice; when there are more, one last finding says how many
    and is a refusal if any of them is. Filters of `warnings`, which the whole process shares, are replaced
    while the file is parsed.
    """
    findings: set[Finding] = set()
    try:
        findings.update(_check_file(source))
    except (MemoryError, RecursionError):
        findings.add(_too_deep(1))
    return _first(findings)


def _first(findings: set[Finding]) -> list[Finding]:
    chosen = sorted(findings, key=lambda found: (not found.is_refusal, found.line, found.rule, found.message))
    left_out = chosen[MAX_FINDINGS:]
    by_line = sorted(chosen[:MAX_FINDINGS], key=lambda found: found.line)
    if left_out:
        message = f"{len(left_out)} more findings are not shown; mend those above and check again."
        is_refusal = any(found.is_refusal for found in left_out)
        last_line = max(found.line for found in chosen)
        by_line.append(Finding(last_line, "more", message, is_refusal))
    return by_line


def _check_file(source: bytes | str) -> Iterator[Finding]:
    text = _decoded(source)
    if isinstance(text, Finding):
        yield text
        return
    if text.startswith("\ufeff"):
        yield Finding(
            1,
            "encoding",
            "The file begins with a byte order mark, which is no Python; save it without.",
            True,
        )
        text = text[1:]
    yield from _check_characters(text)
    yield from _check_cookie(text)
    if "\0" in text:  # which the parser refuses, and the rule on characters has said so
        return
    tree, warned = _parsed(text)
    yield from warned
    if tree is None:
        return
    nodes = _flat(tree)
    if isinstance(nodes, Finding):
        yield nodes
        return
    yield from _Reader(nodes).findings()
    yield from _check_bot(tree, _imported(nodes))


def _decoded(source: bytes | str) -> str | Finding:
    if len(source) > MAX_BYTES:
        return _too_large()
    try:
        if isinstance(source, str):
            return _too_large() if len(source.encode()) > MAX_BYTES else source
        return source.decode()
    except UnicodeError as error:
        start = error.start if isinstance(error, UnicodeEncodeError | UnicodeDecodeError) else 0
        before = source[:start]
        line = 1 + (before.count("\n") if isinstance(before, str) else before.count(b"\n"))
        return Finding(line, "encoding", "The file is not text in UTF-8; save it as UTF-8.", True)


def _too_large() -> Finding:
    return Finding(
        1,
        "size",
        f"The file is larger than {MAX_BYTES // 1024} KB, more than a reviewer can read; upload data and "
        "models as files of their own.",
        True,
    )


def _too_deep(line: int) -> Finding:
    return Finding(
        line,
        "depth",
        f"The code is nested deeper than {MAX_DEPTH} levels or has more than {MAX_NODES} parts, more than a "
        "reviewer can follow; split it up, and upload tables of numbers as files of their own.",
        True,
    )


def _check_characters(text: str) -> Iterator[Finding]:
    for pattern, ban in _CHARACTERS:
        first = pattern.search(text)
        if first:
            yield _finding(_line_of(text, first.start()), f"U+{ord(first[0]):04X}", ban)


def _line_of(text: str, position: int) -> int:
    before = text[:position]
    return 1 + before.count("\n") + before.count("\r") - before.count("\r\n")


def _check_cookie(text: str) -> Iterator[Finding]:
    for number, line in enumerate(re.split(r"\r\n|\r|\n", text[:4096], maxsplit=2)[:2], 1):
        cookie = _CODING_COOKIE.match(line)
        if cookie:
            if cookie[1].lower().replace("_", "-") not in _UTF_8:
                yield Finding(
                    number,
                    "encoding",
                    f"The file says that it is {_short(cookie[1])}, and the platform reads every file as "
                    "UTF-8, so that what an editor shows is not what runs; save it as UTF-8 and delete this "
                    "comment.",
                    True,
                )
            return
        if not _BLANK_OR_COMMENT.match(line):
            return


def _parsed(text: str) -> tuple[ast.Module | None, list[Finding]]:
    # No compile(): code of nested `finally` blocks doubles with each level.
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        try:
            tree = ast.parse(text)
        except SyntaxError as error:
            return None, [_syntax(error)]
        except (MemoryError, RecursionError):
            return None, [_too_deep(1)]
        except (OverflowError, ValueError) as error:
            return None, [Finding(1, "syntax", f"Python cannot read the file: {_short(str(error))}.", True)]
    return tree, [
        Finding(warning.lineno, "syntax", f"Python warns: {_short(str(warning.message))}.", False)
        for warning in caught
        if issubclass(warning.category, SyntaxWarning)
    ]


def _syntax(error: SyntaxError) -> Finding:
    line = max(1, error.lineno or 1)
    if error.msg.startswith(("too many nested", "too many levels", "f-string: expressions nested")):
        return _too_deep(line)
    return Finding(line, "syntax", f"This is no Python: {_short(error.msg)}; correct it.", True)


@dataclass(frozen=True, slots=True)
class _Place:
    node: ast.AST
    line: int
    is_in_loop: bool


def _flat(tree: ast.Module) -> list[_Place] | Finding:
    """Return every node with where it stands, or the refusal of a tree that is too large or too deep."""
    places: list[_Place] = []
    waiting: list[tuple[ast.AST, int, int, bool]] = [(tree, 0, 1, False)]
    while waiting:
        node, depth, line, is_in_loop = waiting.pop()
        line = getattr(node, "lineno", line)
        if depth > MAX_DEPTH or len(places) >= MAX_NODES:
            return _too_deep(line)
        places.append(_Place(node, line, is_in_loop))
        if _is_docstring(node):
            continue
        if isinstance(node, ast.For | ast.AsyncFor | ast.While):
            is_in_loop = True
        elif isinstance(node, _FUNCTIONS):
            is_in_loop = False
        waiting.extend(
            (child, depth + 1, line, is_in_loop)
            for child in ast.iter_child_nodes(node)
            if not isinstance(child, ast.expr_context)
        )
    return places


_FUNCTIONS = (ast.FunctionDef, ast.AsyncFunctionDef, ast.Lambda)


def _is_docstring(node: ast.AST) -> bool:
    """Tell whether the node is a text that stands alone, as docstrings do: it does nothing."""
    return isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant)


def _imported(places: Sequence[_Place]) -> dict[str, str]:
    """Return for each imported name the full path that it stands for, wherever in the file that is said."""
    paths: dict[str, str] = {}
    for place in places:
        match place.node:
            case ast.Import(names=names):
                for alias in names:
                    root = alias.name.partition(".")[0]
                    paths[alias.asname or root] = alias.name if alias.asname else root
            case ast.ImportFrom(module=str(module), names=names, level=0):
                for alias in names:
                    paths[alias.asname or alias.name] = f"{module}.{alias.name}"
    return paths


def _path(node: ast.AST | None, imported: Mapping[str, str]) -> str | None:
    """Return what an expression such as `pd.io.common` stands for, None when it begins with no import."""
    parts: list[str] = []
    while isinstance(node, ast.Attribute) and len(parts) < 12:
        parts.append(node.attr)
        node = node.value
    if not isinstance(node, ast.Name) or node.id not in imported:
        return None
    return ".".join([imported[node.id], *reversed(parts)])


def _ban_of_path(path: str) -> tuple[str, _Ban] | None:
    """Return the longest entry of _PATHS that the path begins with, and why it is one."""
    while path:
        if path in _PATHS:
            ban = _PATHS[path]
            return (path, ban) if ban else None
        path = path.rpartition(".")[0]
    return None


def _bound_names(places: Sequence[_Place]) -> set[str]:
    """Return the names to which the file itself gives a value."""
    names: set[str] = set()
    for place in places:
        match place.node:
            case (
                ast.Name(id=name, ctx=ast.Store())
                | ast.arg(arg=name)
                | ast.FunctionDef(name=name)
                | ast.ClassDef(name=name)
            ):
                names.add(name)
    return names


def _finding(line: int, subject: str, ban: _Ban) -> Finding:
    return Finding(line, ban.rule, f"`{_short(subject)}` {ban.why}; {ban.instead}.", ban.is_refusal)


def _short(text: str) -> str:
    shown = "".join(character if character.isprintable() else " " for character in text[:200])
    return shown if len(text) <= 200 else f"{shown}..."


class _Reader:
    """Applies the tables to every node of one file."""

    def __init__(self, places: Sequence[_Place]) -> None:
        self._places = places
        self._imported = _imported(places)
        self._bound = _bound_names(places)
        self._called = {id(place.node.func) for place in places if isinstance(place.node, ast.Call)}
        self._seeded = {
            path.rpartition(".")[0]
            for place in places
            if isinstance(place.node, ast.Call) and place.node.args
            for path in [_path(place.node.func, self._imported)]
            if path in ("random.seed", "numpy.random.seed")
        }
        self._checks: dict[type[ast.AST], Callable[[Any, _Place], Iterator[Finding]]] = {
            ast.Import: self._import,
            ast.ImportFrom: self._import_from,
            ast.Name: self._name,
            ast.Attribute: self._attribute,
            ast.Constant: self._constant,
            ast.BinOp: self._built_text,
            ast.Call: self._call,
            ast.MatchClass: self._match_class,
            ast.FunctionDef: self._function,
            ast.AsyncFunctionDef: self._function,
            ast.ClassDef: self._class,
            ast.While: self._while,
            ast.Global: self._global,
        }

    def findings(self) -> Iterator[Finding]:
        for place in self._places:
            yield from self._lookalikes(place)
            check_node = self._checks.get(type(place.node))
            if check_node:
                yield from check_node(place.node, place)

    def _lookalikes(self, place: _Place) -> Iterator[Finding]:
        for field in ("id", "attr", "arg", "name", "asname"):
            name = getattr(place.node, field, None)
            if isinstance(name, str) and not name.isascii() and name.translate(_LOOKALIKES).isascii():
                message = (
                    f"`{_short(name)}` looks like `{_short(name.translate(_LOOKALIKES))}` and is another "
                    "name, spelled with letters of another alphabet; spell it with the letters a to z."
                )
                yield Finding(place.line, "name", message, True)

    def _import(self, node: ast.Import, place: _Place) -> Iterator[Finding]:
        for alias in node.names:
            yield from self._imported_path(alias.name, alias.name, place.line)

    def _import_from(self, node: ast.ImportFrom, place: _Place) -> Iterator[Finding]:
        if node.level:
            message = "A bot is one file: there is no package to import from; put the code into this file."
            yield Finding(place.line, "import", message, True)
            return
        module = node.module or ""
        for alias in node.names:
            if alias.name == "*":
                message = (
                    f"`from {_short(module)} import *` hides which names it brings in; "
                    "name those that you use."
                )
                yield Finding(place.line, "import", message, True)
            yield from self._imported_path(module, f"{module}.{alias.name}", place.line)

    def _imported_path(self, module: str, path: str, line: int) -> Iterator[Finding]:
        root, _, rest = path.partition(".")
        if root not in MODULES:
            yield _finding(line, module, _REFUSED_MODULES.get(root, _UNLISTED))
            return
        banned = _ban_of_path(path)
        if banned:
            yield _finding(line, *banned)
        for part in rest.split("."):
            if part in _ATTRIBUTES:
                yield _finding(line, part, _ATTRIBUTES[part])
            elif part.startswith("_") and root != "__future__" and part not in _READABLE:
                yield _finding(line, path, _PRIVATE)

    def _name(self, node: ast.Name, place: _Place) -> Iterator[Finding]:
        name = node.id
        if name.startswith("__") and name.endswith("__") and name not in _NAMES:
            if name not in (_LOADABLE if isinstance(node.ctx, ast.Load) else _SETTABLE):
                yield _finding(place.line, name, _DUNDER)
        elif name in _NAMES and isinstance(node.ctx, ast.Load):
            yield from self._builtin(node, place)
        elif name in _BY_NAME and id(node) not in self._called and isinstance(node.ctx, ast.Load):
            yield _finding(place.line, name, _DYNAMIC)

    def _builtin(self, node: ast.Name, place: _Place) -> Iterator[Finding]:
        ban = _NAMES[node.id]
        is_own = node.id in self._bound and node.id in _ORDINARY_WORDS
        if not is_own:
            yield _finding(place.line, node.id, ban)
        elif id(node) in self._called:
            message = (
                f"`{node.id}` is a name of this file here and Python's own function elsewhere, which "
                f"{ban.why}; give yours another name."
            )
            yield Finding(place.line, "name", message, False)

    def _attribute(self, node: ast.Attribute, place: _Place) -> Iterator[Finding]:
        path = _path(node, self._imported)
        banned = _ban_of_path(path) if path else None
        if banned:
            yield _finding(place.line, *banned)
        if path and not isinstance(node.ctx, ast.Load) and not path.startswith(_MAY_BE_SET):
            yield _patched(place.line, path)
        yield from self._attribute_name(node.attr, place.line, node, path)

    def _attribute_name(
        self, name: str, line: int, node: ast.Attribute | None = None, path: str | None = None
    ) -> Iterator[Finding]:
        is_own = node is not None and isinstance(node.value, ast.Name) and node.value.id in ("self", "cls")
        if name.startswith("__") and name.endswith("__"):
            is_read = node is None or isinstance(node.ctx, ast.Load)
            if name not in _READABLE or not is_read:
                yield _finding(line, name, _DUNDER)
        elif name in _ATTRIBUTES and not is_own:
            yield _finding(line, name, _ATTRIBUTES[name])
        elif name in _AMBIGUOUS and not is_own and not path:
            yield _finding(line, name, _AMBIGUOUS[name])
        elif name.startswith("_") and not is_own and name not in _OWN_FIELDS_OF_TUPLES:
            why = _Ban(_PRIVATE.rule, _PRIVATE.why, _PRIVATE.instead, is_refusal=path is not None)
            yield _finding(line, path or name, why)

    def _constant(self, node: ast.Constant, place: _Place) -> Iterator[Finding]:
        if isinstance(node.value, str):
            for name in set(_DUNDER_PATTERN.findall(node.value)) - _IN_TEXT:
                yield _finding(place.line, name, _DUNDER_TEXT)

    def _built_text(self, node: ast.BinOp, place: _Place) -> Iterator[Finding]:
        texts = [side.value for side in (node.left, node.right) if isinstance(side, ast.Constant)]
        if isinstance(node.op, ast.Mult) and any(text in ("_", "__") for text in texts):
            message = (
                "Underscores that are multiplied hide the name of one of Python's own hooks; write the text "
                "as it is."
            )
            yield Finding(place.line, "dunder", message, False)

    def _call(self, node: ast.Call, place: _Place) -> Iterator[Finding]:
        path = _path(node.func, self._imported)
        if path:
            yield from self._draw(path, node, place.line)
        if path in _ACTIONS and node.args and isinstance(node.args[0], ast.Constant):
            yield from _check_word(node.args[0].value, place.line)
        for keyword in node.keywords:
            is_off = isinstance(keyword.value, ast.Constant) and not keyword.value.value
            if keyword.arg == "allow_pickle" and not is_off:
                yield _finding(place.line, "allow_pickle", _Ban("attribute", _PICKLES.why, _PICKLES.instead))
        match node.func:
            case ast.Name(id=name) if name in _BY_NAME and name not in self._bound:
                yield from self._by_name(name, node, place.line)
            case ast.Name(id="type") if len(node.args) == 3:
                yield _finding(place.line, "type(name, bases, dict)", _DYNAMIC)
            case ast.Name(id="print") if place.is_in_loop:
                message = (
                    "`print` in a loop soon fills the output, of which only the beginning is kept; print "
                    "once, or put it into the reason of the Action."
                )
                yield Finding(place.line, "output", message, False)
            case ast.Attribute(attr=name) if not path and name in _EXPRESSIONS | _TEXT_OR_FILE:
                yield from self._frame_method(name, node, place.line)

    def _by_name(self, function: str, node: ast.Call, line: int) -> Iterator[Finding]:
        match node.args:
            case [target, ast.Constant(value=str(name)), *_]:
                yield from self._attribute_name(name, line, path=_path(target, self._imported))
                if function in ("delattr", "setattr") and _path(target, self._imported):
                    yield _patched(line, f"{_path(target, self._imported)}.{name}")
            case _:
                yield _finding(line, function, _DYNAMIC)

    def _frame_method(self, name: str, node: ast.Call, line: int) -> Iterator[Finding]:
        places = {"buf", "path_or_buf"}
        if name in _TEXT_OR_FILE:
            if node.args or any(keyword.arg in places for keyword in node.keywords):
                yield _finding(line, name, _FILES)
        elif node.args and not isinstance(node.args[0], ast.Constant):
            message = (
                f"`{name}` computes a text that is put together while the bot runs, so that nobody can tell "
                "what; write the text itself, with `@name` for values, or select rows with a comparison."
            )
            yield Finding(line, "dynamic", message, False)

    def _draw(self, path: str, node: ast.Call, line: int) -> Iterator[Finding]:
        library = path.rpartition(".")[0]
        if path in _GENERATORS:
            if not node.args and not node.keywords:
                yield _finding(line, path, _UNSEEDED)
        elif library in ("random", "numpy.random") and path not in _NO_DRAWS:
            is_seed = path.endswith(".seed") and bool(node.args)
            if not is_seed and (library not in self._seeded or path == "random.SystemRandom"):
                yield _finding(line, path, _UNSEEDED)

    def _match_class(self, node: ast.MatchClass, place: _Place) -> Iterator[Finding]:
        for name in node.kwd_attrs:
            yield from self._attribute_name(name, place.line)

    def _function(self, node: ast.FunctionDef | ast.AsyncFunctionDef, place: _Place) -> Iterator[Finding]:
        name = node.name
        if name.startswith("__") and name.endswith("__") and name not in _METHODS:
            yield _finding(place.line, name, _DUNDER)
        if isinstance(node, ast.AsyncFunctionDef) and name != "execute_algorithm":
            message = (
                f"`{_short(name)}` is async, and nothing in a bot awaits it: calling it computes nothing; "
                "write it as a plain function."
            )
            yield Finding(place.line, "algorithm", message, False)

    def _class(self, node: ast.ClassDef, place: _Place) -> Iterator[Finding]:  # noqa: ARG002  one signature
        is_value = any(isinstance(base, ast.Name) and base.id in _VALUE_TYPES for base in node.bases)
        for method in node.body:
            if is_value and isinstance(method, ast.FunctionDef) and method.name in _COMPARISONS:
                message = (
                    f"`{method.name}` of a text or number makes it equal to what it is not; compare with a "
                    "function of another name."
                )
                yield Finding(method.lineno, "dunder", message, True)

    def _while(self, node: ast.While, place: _Place) -> Iterator[Finding]:
        is_endless = isinstance(node.test, ast.Constant) and bool(node.test.value)
        if is_endless and not _has(node.body, (ast.Break, ast.Raise, ast.Return, ast.Yield)):
            message = (
                "This loop has no end of its own, and the run is stopped when its time is over; loop over "
                "`data`, or break out of it."
            )
            yield Finding(place.line, "loop", message, False)

    def _global(self, node: ast.Global, place: _Place) -> Iterator[Finding]:
        names = ", ".join(_short(name) for name in node.names[:5])
        message = (
            f"What `global` keeps in {names} is gone at the next candle, for which the platform starts a new "
            "bot; compute it from `data`."
        )
        yield Finding(place.line, "state", message, False)


def _check_word(word: object, line: int) -> Iterator[Finding]:
    if word not in ("BUY", "SELL", "HOLD"):
        message = (
            'The action of an Action is "BUY", "SELL" or "HOLD" in capital letters of the alphabet a to z, '
            "and this is none, so that the run fails; write one of them."
        )
        yield Finding(line, "algorithm", message, False)


def _patched(line: int, path: str) -> Finding:
    ban = _Ban(
        "attribute",
        "is changed here for everything that uses the library",
        "keep your values in names of your own",
    )
    return _finding(line, path, ban)


def _has(body: Sequence[ast.stmt], kinds: tuple[type[ast.AST], ...]) -> bool:
    """Tell whether one of the kinds stands in the statements themselves, not in a function within them."""
    return any(isinstance(node, kinds) for node in _own_nodes(body))


def _own_nodes(body: Sequence[ast.stmt]) -> Iterator[ast.AST]:
    """Yield the nodes of the statements in their order, without the insides of functions and classes."""
    waiting: list[ast.AST] = list(reversed(body))
    while waiting:
        node = waiting.pop()
        yield node
        if not isinstance(node, (*_FUNCTIONS, ast.ClassDef)):
            waiting.extend(reversed(list(ast.iter_child_nodes(node))))


# --- The bot ------------------------------------------------------------------------------------------------


def _check_bot(tree: ast.Module, imported: Mapping[str, str]) -> Iterator[Finding]:
    classes = {node.name: node for node in _own_nodes(tree.body) if isinstance(node, ast.ClassDef)}
    certain = {id(node) for node in tree.body}
    bots: dict[str, ast.ClassDef] = {}
    is_sure = "bot_sdk.*" not in imported.values()
    for name, node in classes.items():
        kinds = [_kind(base, classes, bots, imported) for base in node.bases]
        is_sure = is_sure and "unknown" not in kinds
        if "bot" in kinds:
            bots[name] = node
    if not bots:
        message = (
            "No bot found; define one class that inherits from CustomBot and has execute_algorithm(self, "
            "data, timeframe, subscription_config)."
        )
        yield Finding(1, "algorithm", message, is_sure)
        return
    bot, *others = bots.values()
    if not others:
        yield from _check_algorithm(bot)
        yield from _check_init(bot)
    for node in others:
        message = (
            f"`{_short(node.name)}` is one more class that inherits from CustomBot, and the platform cannot "
            "tell which to run; keep one, and make the others plain classes or functions."
        )
        yield Finding(node.lineno, "algorithm", message, all(id(each) in certain for each in bots.values()))


def _kind(
    base: ast.expr,
    classes: Mapping[str, ast.ClassDef],
    bots: Mapping[str, ast.ClassDef],
    imported: Mapping[str, str],
) -> str:
    """Return "bot", "other" or "unknown" for what stands in the brackets of a class."""
    path = _path(base, imported)
    if path:
        return "bot" if path in _BOT_BASES else "unknown" if path.startswith("bot_sdk.") else "other"
    if not isinstance(base, ast.Name):
        return "unknown"
    if base.id in bots or (base.id == "CustomBot" and base.id not in classes):
        return "bot"
    return "other" if base.id in classes or base.id in _NO_BOTS else "unknown"


def _check_algorithm(bot: ast.ClassDef) -> Iterator[Finding]:
    method = _member(bot, "execute_algorithm")
    if method is None:
        message = (
            f"`{_short(bot.name)}` has no algorithm; define execute_algorithm(self, data, timeframe, "
            "subscription_config) in it and return an Action."
        )
        yield Finding(bot.lineno, "algorithm", message, len(bot.bases) == 1)
        return
    if not isinstance(method, ast.FunctionDef | ast.AsyncFunctionDef):
        return
    if isinstance(method, ast.AsyncFunctionDef) or _has(method.body, (ast.Yield, ast.YieldFrom)):
        message = (
            "`execute_algorithm` is async or yields, so that calling it returns no Action; write it as a "
            "plain method that returns one."
        )
        yield Finding(method.lineno, "algorithm", message, True)
    if not method.decorator_list and not _takes(method.args, 4):
        message = (
            "`execute_algorithm` is called with three values; declare it as execute_algorithm(self, data, "
            "timeframe, subscription_config)."
        )
        yield Finding(method.lineno, "algorithm", message, True)
    yield from _check_returns(method)


def _check_returns(method: ast.FunctionDef | ast.AsyncFunctionDef) -> Iterator[Finding]:
    returns = [node for node in _own_nodes(method.body) if isinstance(node, ast.Return)]
    empty = [node.lineno for node in returns if node.value is None or isinstance(node.value, ast.Constant)]
    if not returns and not _has(method.body, (ast.Raise, ast.Yield, ast.YieldFrom)):
        empty = [method.lineno]
    for line in empty:
        message = (
            "`execute_algorithm` returns no Action here, and the run then fails; return one on every path, "
            'such as Action("HOLD", price, "why").'
        )
        yield Finding(line, "algorithm", message, False)


def _check_init(bot: ast.ClassDef) -> Iterator[Finding]:
    method = _member(bot, "__init__")
    if not isinstance(method, ast.FunctionDef):
        return
    if not method.decorator_list and not _takes(method.args, 3):
        message = (
            "`__init__` is called with two values; declare it as __init__(self, config, api_keys), or leave "
            "it out."
        )
        yield Finding(method.lineno, "algorithm", message, True)
    calls = [node.func for node in _own_nodes(method.body) if isinstance(node, ast.Call)]
    if not any(isinstance(func, ast.Attribute) and func.attr == "__init__" for func in calls):
        message = (
            "`__init__` does not call super().__init__(config, api_keys), so that self.config is missing; "
            "make it the first line."
        )
        yield Finding(method.lineno, "algorithm", message, False)


def _member(bot: ast.ClassDef, name: str) -> ast.stmt | None:
    """Return the statement that gives the class this attribute, the last one if there are several."""
    found: ast.stmt | None = None
    for statement in bot.body:
        match statement:
            case ast.FunctionDef(name=defined) | ast.AsyncFunctionDef(name=defined) if defined == name:
                found = statement
            case ast.Assign(targets=[ast.Name(id=defined)]) if defined == name:
                found = statement
    return found


def _takes(arguments: ast.arguments, count: int) -> bool:
    """Tell whether a function can be called with so many values by place, and no others."""
    places = len(arguments.posonlyargs) + len(arguments.args)
    needed = places - len(arguments.defaults)
    keyword_only = sum(default is None for default in arguments.kw_defaults)
    return needed <= count <= (places if not arguments.vararg else max(places, count)) and not keyword_only

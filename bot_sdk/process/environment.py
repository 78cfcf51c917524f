"""The variables that decide what a bot computes, equal wherever it runs."""

ENVIRONMENT = {
    "PYTHONHASHSEED": "0",
    "LANG": "C.UTF-8",
    "TZ": "UTC",
    # One thread per run: bots share the machine, and what they compute must not depend on its cores.
    "OMP_NUM_THREADS": "1",
    "OPENBLAS_NUM_THREADS": "1",
    "MKL_NUM_THREADS": "1",
    "NUMEXPR_NUM_THREADS": "1",
    "JE_ARROW_MALLOC_CONF": "background_thread:false",
    # onnxruntime would start a thread on import that reports to its maker: no thread may be there at a fork.
    "ORT_DISABLE_TELEMETRY": "1",
    # Each arena reserves address space that would count as the bot's memory.
    "MALLOC_ARENA_MAX": "1",
    # joblib warns on import when it cannot make semaphores.
    "JOBLIB_MULTIPROCESSING": "0",
    # numba wants to write a cache and fails to import where it cannot.
    "NUMBA_DISABLE_JIT": "1",
}

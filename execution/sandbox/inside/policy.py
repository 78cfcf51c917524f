"""Which system calls are allowed, as tables: for the zygote, for a bot's run, and for the door of a run.

A run lives under all of its filters; the strictest answer counts. What is named nowhere does not exist for a
run (ENOSYS). Of what is named, KILL ends the process, and with it the run as FORBIDDEN: calls that no honest
bot makes by accident. REFUSE answers EPERM: calls that libraries try, and live without.
"""

import errno
from collections.abc import Mapping
from dataclasses import dataclass

# SECCOMP_RET_* of <linux/seccomp.h>
ALLOW = 0x7FFF0000
KILL = 0x80000000  # the whole process
TRAP = 0x00030000  # to the process's handler: see trap.py
REFUSE = 0x00050000 | errno.EPERM
MISSING = 0x00050000 | errno.ENOENT
UNKNOWN = 0x00050000 | errno.ENOSYS
ASK_LISTENER = 0x7FC00000  # SECCOMP_RET_USER_NOTIF

WORD = 0xFFFFFFFF
CLONE_THREAD = 0x00010000
CLONE_VM = 0x00000100
CLONE_NEWPID = 0x20000000
_CLONE_NAMESPACES = 0x7E020080  # every CLONE_NEW*
WRITING = 0o3 | 0o100 | 0o1000  # O_ACCMODE, O_CREAT, O_TRUNC
_MAP_SHARED_ANONYMOUS = 0x01 | 0x20
_MAP_GROWSDOWN = 0x0100
_FCNTL = (
    0,
    1,
    2,
    3,
    4,
    1030,
)  # F_DUPFD, F_GETFD, F_SETFD, F_GETFL, F_SETFL, F_DUPFD_CLOEXEC: no locks, no owners
_IOCTL = (0x5401, 0x541B, 0x5421, 0x5450, 0x5451)  # TCGETS, FIONREAD, FIONBIO, FIONCLEX, FIOCLEX
_PRCTL = (3, 15, 16, 0x53564D41)  # PR_GET_DUMPABLE, PR_SET_NAME, PR_GET_NAME, PR_SET_VMA
# MADV_REMOVE, MADV_MERGEABLE, MADV_COLD, MADV_PAGEOUT, MADV_HWPOISON, MADV_SOFT_OFFLINE
_MADVISE_DANGERS = (9, 12, 20, 21, 100, 101)
# SECCOMP_FILTER_FLAG_NEW_LISTENER; and since Linux 5.19 SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV: no signal but
# the last one ends a call that is being answered
NEW_LISTENER, UNDISTURBED = 8, 32
_EMPTY_PATH = 0x1000  # AT_EMPTY_PATH
_CLOCK_OF_A_PROCESS = 0x80000000  # the numbers below zero name processes, threads and descriptors
_FIRST_OF_ITS_NAMESPACE = 1  # process id
_FUTEX_PRIVATE = 128
_FUTEX_WAITS = (0, 9)  # FUTEX_WAIT, FUTEX_WAIT_BITSET


@dataclass(frozen=True, slots=True)
class When:
    """Answer `then` if an argument's low 32 bits, under `mask`, equal one of `values`."""

    argument: int
    values: tuple[int, ...]
    then: int
    mask: int = WORD


@dataclass(frozen=True, slots=True)
class IfNull:
    """Answer `then` if a pointer is null."""

    argument: int
    then: int


@dataclass(frozen=True, slots=True)
class Check:
    """Try the tests in turn; the first that fits answers, else `otherwise`."""

    tests: tuple[When | IfNull, ...]
    otherwise: int


Rule = int | Check
Policy = Mapping[str, Rule]


def run_policy(*, has_namespaces: bool, has_doorman: bool) -> Policy:
    """Return the rules for a bot's run; all else is UNKNOWN.

    In a process namespace of its own it may signal itself, as `abort` does, and it has a file system of its
    own, where it may ask for names. Elsewhere it may ask the doorman, or nobody.
    """
    to_itself: Rule = Check((When(0, (_FIRST_OF_ITS_NAMESPACE,), ALLOW),), KILL) if has_namespaces else KILL
    by_name: Policy
    if has_namespaces:
        by_name = dict.fromkeys(_BY_NAME.split(), ALLOW)
    elif has_doorman:
        by_name = {"newfstatat": ALLOW}
    else:
        by_name = {"newfstatat": _facts(by_name=MISSING), "open": MISSING, "openat": MISSING}
    return {
        **dict.fromkeys(_ALLOWED.split(), ALLOW),
        **dict.fromkeys(_KILLED.split(), KILL),
        **dict.fromkeys(_REFUSED.split(), REFUSE),
        **_CHECKED,
        **_ABOUT_PROCESSES,
        **by_name,
        "tgkill": to_itself,
    }


def _facts(*, by_name: int) -> Check:
    """The rule for `newfstatat`, with which older C libraries also ask for a descriptor's facts.

    The path is empty then, but no filter can look at it.
    """
    return Check((When(3, (_EMPTY_PATH,), TRAP, mask=_EMPTY_PATH),), by_name)


_ALLOWED = """
    read readv pread64 preadv write writev lseek close close_range dup dup2 dup3
    fstat getdents getdents64 getcwd
    munmap mprotect mremap brk membarrier
    set_robust_list set_tid_address rseq exit exit_group restart_syscall
    rt_sigaction rt_sigprocmask rt_sigreturn rt_sigpending rt_sigtimedwait rt_sigsuspend sigaltstack
    alarm setitimer getitimer pause
    getpid getppid gettid getuid geteuid getgid getegid getresuid getresgid getgroups getpgrp
    uname sysinfo getrusage times getrlimit getcpu getrandom get_mempolicy
    gettimeofday time nanosleep
    sched_yield sched_get_priority_max sched_get_priority_min
    poll ppoll select pselect6 epoll_create1 epoll_ctl epoll_wait epoll_pwait eventfd2 pipe pipe2
"""

_BY_NAME = "stat lstat newfstatat statx access faccessat faccessat2 readlink readlinkat"

_CHECKED: dict[str, Rule] = {
    "open": Check((When(1, (0,), ALLOW, mask=WRITING),), REFUSE),
    "openat": Check((When(2, (0,), ALLOW, mask=WRITING),), REFUSE),
    # Neither shared anonymous memory nor what says that it is a stack counts towards RLIMIT_DATA.
    "mmap": Check(
        (
            When(3, (_MAP_SHARED_ANONYMOUS,), REFUSE, mask=_MAP_SHARED_ANONYMOUS),
            When(3, (_MAP_GROWSDOWN,), REFUSE, mask=_MAP_GROWSDOWN),
        ),
        ALLOW,
    ),
    # On a page of a file that runs have in common, one could wake another's wait: a signal between them.
    # Joining a thread waits so, and the kernel wakes it.
    "futex": Check(
        (
            When(1, (_FUTEX_PRIVATE,), ALLOW, mask=_FUTEX_PRIVATE),
            When(1, _FUTEX_WAITS, ALLOW, mask=0x7F),
        ),
        REFUSE,
    ),
    "madvise": Check((When(2, _MADVISE_DANGERS, REFUSE),), ALLOW),
    # Threads, and no process. The flags of clone3 lie in memory, where no filter can look: the C library then
    # takes clone.
    "clone": Check(
        (When(0, (CLONE_THREAD | CLONE_VM,), ALLOW, mask=CLONE_THREAD | CLONE_VM | _CLONE_NAMESPACES),), KILL
    ),
    "clone3": UNKNOWN,
    "fcntl": Check((When(1, _FCNTL, ALLOW),), REFUSE),
    "ioctl": Check((When(1, _IOCTL, ALLOW),), REFUSE),
    "prctl": Check((When(0, _PRCTL, ALLOW),), REFUSE),
    "prlimit64": Check((IfNull(2, ALLOW),), REFUSE),  # asking, not setting
}

# Of the kinds of priority the first is a process's; 0 is oneself.
_OF_ITSELF = Check((When(0, (1, 2), REFUSE), When(1, (0,), ALLOW)), REFUSE)
_LIMITS_OF_ITSELF = Check((When(0, (0,), ALLOW),), REFUSE)
# What tells of another process whether it exists, and more.
_ABOUT_PROCESSES: dict[str, Rule] = {
    **dict.fromkeys(
        (
            *("getpgid", "getsid", "get_robust_list"),
            *("sched_getaffinity", "sched_getparam", "sched_getscheduler", "sched_getattr"),
        ),
        Check((When(0, (0,), ALLOW),), UNKNOWN),
    ),
    "getpriority": _OF_ITSELF,
    **dict.fromkeys(
        ("clock_gettime", "clock_getres", "clock_nanosleep"),
        Check((When(0, (0,), ALLOW, mask=_CLOCK_OF_A_PROCESS),), UNKNOWN),
    ),
}

# A filter by itself: the second no to what would start, outlive, hold or find a process.
PROCESS_POLICY: Policy = {
    **_ABOUT_PROCESSES,
    "prlimit64": _LIMITS_OF_ITSELF,
    **dict.fromkeys(("capget", "ioprio_get", "sched_rr_get_interval", "timer_create"), UNKNOWN),
    **dict.fromkeys(("fork", "vfork", "pidfd_open"), KILL),
    "clone": Check((When(0, (CLONE_THREAD,), ALLOW, mask=CLONE_THREAD),), KILL),
    "clone3": UNKNOWN,
}

# Every call but openat that takes a path: its error alone could tell whether the path is there.
_BY_PATH = f"""
    {_BY_NAME} open openat2 creat statfs
    getxattr lgetxattr getxattrat listxattr llistxattr listxattrat
    setxattr lsetxattr setxattrat removexattr lremovexattr removexattrat file_getattr file_setattr
    chdir chroot mkdir mkdirat rmdir unlink unlinkat rename renameat renameat2 link linkat symlink symlinkat
    mknod mknodat chmod fchmodat fchmodat2 chown lchown fchownat utime utimes utimensat futimesat truncate
    execve execveat uselib acct swapon swapoff quotactl inotify_add_watch fanotify_mark name_to_handle_at
    mount umount2 pivot_root open_tree open_tree_attr move_mount mount_setattr fspick fsconfig
    bind connect statmount listmount
"""
# The second filter for runs with a doorman, who answers what it asks.
DOOR_POLICY: Policy = {
    **PROCESS_POLICY,
    **dict.fromkeys(_BY_PATH.split(), UNKNOWN),
    "openat": ASK_LISTENER,
    "newfstatat": _facts(by_name=ASK_LISTENER),
    "tgkill": KILL,
}

_REFUSED = """
    mkdir mkdirat rmdir unlink unlinkat rename renameat renameat2 link linkat symlink symlinkat creat
    chmod fchmod fchmodat fchmodat2 chown fchown lchown fchownat utime utimes utimensat futimesat umask
    setxattr lsetxattr fsetxattr removexattr lremovexattr fremovexattr
    fadvise64 mincore readahead
    truncate ftruncate fallocate copy_file_range sendfile splice tee flock fsync fdatasync sync syncfs
    pwrite64 pwritev pwritev2 chdir fchdir statfs fstatfs
    setrlimit setpriority ioprio_set sched_setaffinity sched_setparam sched_setscheduler sched_setattr
    setpgid setsid mlock mlock2 mlockall mbind set_mempolicy pkey_mprotect arch_prctl capget
    inotify_init inotify_init1 signalfd signalfd4 timerfd_create timer_create io_setup wait4 waitid
    seccomp landlock_create_ruleset landlock_add_rule landlock_restrict_self
"""

# What reaches beyond the process, and the corners of the kernel where most ways to more rights were found.
_BEYOND = """
    ptrace process_vm_readv process_vm_writev process_madvise process_mrelease kcmp pidfd_getfd
    execve execveat
    mount umount2 pivot_root chroot fsopen fsconfig fsmount fspick open_tree move_mount mount_setattr
    swapon swapoff quotactl quotactl_fd acct sethostname setdomainname
    name_to_handle_at open_by_handle_at mknod mknodat fanotify_init fanotify_mark
    connect bind listen accept accept4 socket socketpair
    shmget shmat shmctl shmdt semget semop semctl semtimedop msgget msgsnd msgrcv msgctl
    mq_open mq_unlink mq_timedsend mq_timedreceive mq_notify mq_getsetattr memfd_create memfd_secret
    bpf perf_event_open io_uring_setup io_uring_enter io_uring_register userfaultfd keyctl add_key request_key
    kexec_load kexec_file_load init_module finit_module delete_module reboot syslog vhangup
    iopl ioperm modify_ldt personality lookup_dcookie nfsservctl vmsplice move_pages migrate_pages
    remap_file_pages clock_settime settimeofday adjtimex clock_adjtime
"""

_KILLED = f"""
    {_BEYOND}
    fork vfork kill tkill rt_sigqueueinfo rt_tgsigqueueinfo pidfd_open pidfd_send_signal
    unshare setns capset setuid setgid setreuid setregid setresuid setresgid setgroups setfsuid setfsgid
    sendto recvfrom sendmsg recvmsg sendmmsg recvmmsg getsockname getpeername getsockopt setsockopt shutdown
"""

# What would reach others of the same user: where there are no namespaces, the zygote and all its runs.
_SAME_USER = """
    kill tkill rt_sigqueueinfo rt_tgsigqueueinfo pidfd_send_signal
    sched_setaffinity sched_setscheduler sched_setparam sched_setattr ioprio_set
    inotify_init inotify_init1 splice tee seccomp
"""

# The zygote forks, drops rights and passes descriptors on. For all else that reaches beyond a process it has
# no use once it is up, so every run is refused it a second time.
_ZYGOTE: Policy = {
    **dict.fromkeys(_BEYOND.split(), REFUSE),
    **dict.fromkeys(_SAME_USER.split(), REFUSE),
    # what passes between processes through pages that they share
    **dict.fromkeys(("fadvise64", "mincore", "readahead"), REFUSE),
    "futex": _CHECKED["futex"],
    "madvise": _CHECKED["madvise"],
    # its own limits and priority
    "prlimit64": _LIMITS_OF_ITSELF,
    "setpriority": _OF_ITSELF,
    "unshare": Check((When(0, (CLONE_NEWPID,), ALLOW),), REFUSE),
    "setns": Check((When(1, (CLONE_NEWPID,), ALLOW),), REFUSE),
    "clone": Check((When(0, (0,), ALLOW, mask=_CLONE_NAMESPACES),), REFUSE),
    "clone3": UNKNOWN,
}


def zygote_policy(*, has_doorman: bool) -> Policy:
    """Return the rules for a zygote; all else is allowed. For a doorman, runs make a listener each.

    A second one the kernel refuses.
    """
    if not has_doorman:
        return _ZYGOTE
    return {
        **_ZYGOTE,
        "seccomp": Check((When(1, (NEW_LISTENER, NEW_LISTENER | UNDISTURBED), ALLOW),), REFUSE),
    }

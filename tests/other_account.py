"""What another account of the machine can do to a sweep: `python other_account.py FOLDER PROCESS...`, run as root.

Becomes the account 65534, which owns nothing, and prints which of its attempts succeed: to reach into the processes, by
what is open there or by a signal, and to read or write in a folder, such as that of compiled code.
"""

import contextlib
import json
import os
import sys
from collections.abc import Iterator
from pathlib import Path

NOBODY = 65534


def attempts(folder: Path, processes: list[int]) -> Iterator[str]:
    for process in processes:
        proc = Path("/proc", str(process))
        for name in ("fd/0", "fd/1", "mem", "environ"):
            for mode in ("rb", "wb"):
                with contextlib.suppress(OSError), open(proc / name, mode):
                    yield f"open {proc / name} as {mode}"
        with contextlib.suppress(OSError):
            yield f"see {os.listdir(proc / 'fd')} of {process}"
        with contextlib.suppress(OSError):
            os.kill(process, 0)
            yield f"signal {process}"
    with contextlib.suppress(OSError):
        yield f"see {os.listdir(folder)} in {folder}"
    with contextlib.suppress(OSError), open(folder / "jit_evil-00-cache", "wb"):
        yield f"write to {folder}"


if __name__ == "__main__":
    os.setgroups([])
    os.setgid(NOBODY)
    os.setuid(NOBODY)
    print(json.dumps(list(attempts(Path(sys.argv[1]), [int(process) for process in sys.argv[2:]]))))

"""A sweep on a cluster with certificates, one worker of which is killed while it works: `python cluster_run.py FOLDER`.

FOLDER holds `ca.pem`, `cert.pem` and `key.pem`. Prints how often each chunk was begun, done and handed over, what of
it was wrong, what is told to a worker of another version and to one without certificates, and what is said while there
is no worker.
"""

import json
import sys
from collections import Counter
from pathlib import Path

from distributed import LocalCluster, Security
from slow_evaluator import DESIGN, Slow, is_right, killed_at_work, marks, spans

from npp_jax.sweeping import Certificates
from npp_jax.sweeping import cluster as sweep_cluster
from npp_jax.sweeping.run import SweepStopped


def main() -> None:
    folder = Path(sys.argv[1])
    ca, cert, key = (str(folder / f"{name}.pem") for name in ("ca", "cert", "key"))
    roles = {
        f"tls_{role}_{kind}": file
        for role in ("scheduler", "worker", "client")
        for kind, file in (("cert", cert), ("key", key))
    }
    security = Security(require_encryption=True, tls_ca_file=ca, **roles)
    options = {"host": "127.0.0.1", "security": security, "dashboard_address": None, "threads_per_worker": 1}
    sweep_cluster._PATIENCE = 5.0
    sweep_cluster._LOOK = 0.2
    with LocalCluster(n_workers=0, memory_limit=0, **options) as cluster:
        address = cluster.scheduler_address
        said: list[str] = []
        try:
            with sweep_cluster.connect(address):
                refused = ""
        except SweepStopped as error:
            refused = str(error)

        def say(text: str) -> None:
            said.append(text)
            cluster.scale(2)

        with sweep_cluster.connect(address, Certificates(ca, cert, key)) as client:
            handed, wrong, killed = Counter(), [], None
            work = client, Slow(folder), DESIGN
            for chunk, theta, found in sweep_cluster.evaluate_chunks_on(
                *work, iter(spans()), order=[1, 0], on_fault=say
            ):
                handed[chunk] += 1
                if not is_right(chunk, theta, found):
                    wrong.append(chunk)
                if killed is None and len(handed) == 3:
                    killed = killed_at_work(folder)
            own = sweep_cluster.versions()
            sweep_cluster.versions = lambda: "npp_jax 0.0.0 and jax 0.0.0"
            try:
                list(
                    sweep_cluster.evaluate_chunks_on(
                        client, Slow(folder), DESIGN, iter(spans()), order=[0, 1], on_fault=say
                    )
                )
                told = ""
            except SweepStopped as error:
                told = str(error)
    counts = {kind: marks(folder, kind) for kind in ("begun", "done")}
    print(
        json.dumps(
            {**counts, "handed": handed, "wrong": wrong, "own": own, "told": told, "refused": refused, "said": said}
        )
    )


if __name__ == "__main__":
    main()

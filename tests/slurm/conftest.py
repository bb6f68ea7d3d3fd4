"""A SLURM of one's own on this machine: own configuration, ports, keys and folders; gone when the tests are done."""

from __future__ import annotations

import os
import secrets
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

import pytest

NEEDED = ("sbatch", "slurmctld", "slurmd", "munged")
CONFIGURATION = """
ClusterName=local
SlurmctldHost={host}(127.0.0.1)
SlurmctldPort={controller_port}
SlurmdPort={daemon_port}
SlurmUser=root
SlurmdUser=root
AuthType=auth/munge
# a requeued job waits until its credentials have expired
AuthInfo=socket={folder}/munge.socket,cred_expire=5
CredType=cred/munge
MpiDefault=none
ProctrackType=proctrack/linuxproc
TaskPlugin=task/none
SwitchType=switch/none
SchedulerType=sched/backfill
SchedulerParameters=batch_sched_delay=1,sched_interval=2,bf_interval=2,sched_min_interval=100000
SelectType=select/cons_tres
SelectTypeParameters=CR_CPU
SlurmdParameters=config_overrides
ReturnToService=2
KillWait=5
MessageTimeout=60
SlurmctldTimeout=300
SlurmdTimeout=300
StateSaveLocation={folder}/state
SlurmdSpoolDir={folder}/spool
SlurmctldPidFile={folder}/slurmctld.pid
SlurmdPidFile={folder}/slurmd.pid
SlurmctldLogFile={folder}/slurmctld.log
SlurmdLogFile={folder}/slurmd.log
PreemptType=preempt/partition_prio
PreemptMode=REQUEUE
NodeName={host} NodeAddr=127.0.0.1 CPUs=1 RealMemory=1000
PartitionName=low Nodes=ALL Default=YES PriorityTier=1 PreemptMode=REQUEUE GraceTime=120
PartitionName=high Nodes=ALL PriorityTier=10 PreemptMode=OFF
"""


@dataclass
class LocalSlurm:
    """Runs SLURM's commands against the cluster of this test session."""

    folder: Path
    patience_s: float = 240  # a busy machine needs minutes to start a process
    daemons: list[subprocess.Popen] = field(default_factory=list)

    @property
    def environment(self) -> dict[str, str]:
        own = {name: value for name, value in os.environ.items() if not name.startswith("SLURM")}
        return {**own, "SLURM_CONF": str(self.folder / "slurm.conf")}

    def __call__(self, *command: str, cwd: Path | None = None, **more: str) -> str:
        """Output of a command, which must succeed."""
        done = subprocess.run(
            command, env={**self.environment, **more}, cwd=cwd, capture_output=True, text=True, check=False
        )
        assert done.returncode == 0, f"{command}: {done.stdout}{done.stderr}"
        return done.stdout.strip()

    def job(self, number: str) -> dict[str, str]:
        """What ``scontrol show job`` says."""
        words = self("scontrol", "--oneliner", "show", "job", number).split()
        return dict(word.split("=", 1) for word in words if "=" in word)

    def wait(self, until: Callable[[], object], what: str) -> None:
        """Wait for something to become true."""
        deadline = time.monotonic() + self.patience_s
        while not until():
            assert time.monotonic() < deadline, f"waited in vain for {what}\n{self.logs()}"
            time.sleep(0.2)

    def logs(self) -> str:
        return "\n".join(path.read_text(errors="replace")[-3000:] for path in sorted(self.folder.glob("*.log")))

    def start(self, *command: str) -> None:
        log = (self.folder / f"{Path(command[0]).name}.out.log").open("w")
        self.daemons.append(subprocess.Popen(command, env=self.environment, stdout=log, stderr=log))

    def stop(self) -> None:
        """Cancel what runs, and end the daemons, the last one first."""
        with suppress(OSError, subprocess.SubprocessError):
            subprocess.run(["scancel", "--user=root"], env=self.environment, timeout=30, check=False)
            self.wait(lambda: not self("squeue", "--noheader"), "jobs to end")
        for daemon in reversed(self.daemons):
            daemon.send_signal(signal.SIGTERM)
        for daemon in self.daemons:
            try:
                daemon.wait(30)
            except subprocess.TimeoutExpired:
                daemon.kill()
                daemon.wait()


def free_ports(count: int) -> list[int]:
    sockets = [socket.socket() for _ in range(count)]
    for each in sockets:
        each.bind(("127.0.0.1", 0))
    ports = [each.getsockname()[1] for each in sockets]
    for each in sockets:
        each.close()
    return ports


@pytest.fixture(scope="session")
def slurm() -> Iterator[LocalSlurm]:
    """A running cluster of one node with one CPU; the test is skipped, by name, where there can be none."""
    missing = [name for name in NEEDED if shutil.which(name, path=f"{os.environ['PATH']}:/usr/sbin:/sbin") is None]
    if missing:
        pytest.skip(f"no SLURM on this machine: {', '.join(missing)} not found (apt-get install slurm-wlm munge)")
    if os.geteuid() != 0:
        pytest.skip("a SLURM of one's own needs root")
    folder = Path(tempfile.mkdtemp(prefix="slurm-", dir="/tmp"))  # a short path: sockets allow no more
    local = LocalSlurm(folder)
    try:
        _start(local)
    except AssertionError as error:
        local.stop()
        shutil.rmtree(folder, ignore_errors=True)
        pytest.skip(f"SLURM does not start on this machine: {error}")
    try:
        yield local
    finally:
        local.stop()
        shutil.rmtree(folder, ignore_errors=True)


def _start(local: LocalSlurm) -> None:
    folder, path = local.folder, f"{os.environ['PATH']}:/usr/sbin:/sbin"
    folder.chmod(0o755)
    for name in ("state", "spool"):
        (folder / name).mkdir()
    key = folder / "munge.key"
    key.write_bytes(secrets.token_bytes(128))
    key.chmod(0o600)
    host = socket.gethostname().partition(".")[0]
    controller_port, daemon_port = free_ports(2)
    settings = CONFIGURATION.format(host=host, folder=folder, controller_port=controller_port, daemon_port=daemon_port)
    (folder / "slurm.conf").write_text(settings)
    own = [f"--socket={folder}/munge.socket", f"--key-file={key}", f"--pid-file={folder}/munged.pid"]
    own += [f"--log-file={folder}/munged.log", f"--seed-file={folder}/munged.seed"]
    local.patience_s, patience_s = 60, local.patience_s
    local.start(str(shutil.which("munged", path=path)), "--foreground", "--force", *own)
    local.wait((folder / "munge.socket").exists, "munge")
    local.start(str(shutil.which("slurmctld", path=path)), "-D")
    local.start(str(shutil.which("slurmd", path=path)), "-D", "-N", host)
    local.wait(lambda: "idle" in _states(local), "an idle node")
    local.patience_s = patience_s


def _states(local: LocalSlurm) -> str:
    done = subprocess.run(
        ["sinfo", "--noheader", "--format=%T"], env=local.environment, capture_output=True, text=True, check=False
    )
    return done.stdout

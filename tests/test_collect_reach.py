"""Engines that are reached otherwise than by a socket of Docker's: over TLS, by context, through ssh; and Podman's."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import socket
import subprocess
import tempfile
import warnings
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.collect_engine import Restartable, engine, need, until
from triage.collect import docker, ssh
from triage.errors import UnavailableError, UsageError

__all__ = ["engine"]
pytestmark = pytest.mark.engine


@pytest.fixture(autouse=True)
def nothing_set(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """No variable of the machine's own, and a configuration folder that is not there."""
    for name in ("DOCKER_HOST", "DOCKER_CONTEXT", "DOCKER_TLS_VERIFY", "DOCKER_CERT_PATH"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("DOCKER_CONFIG", str(tmp_path / "config"))


@pytest.fixture(scope="module")
def printed(engine: Restartable) -> None:
    """A container that has printed."""
    engine.ran("app", "echo one; echo two >&2")


@pytest.fixture(scope="module")
def tls(engine: Restartable, printed: None, tmp_path_factory: pytest.TempPathFactory) -> tuple[str, Path]:
    """The engine also on a port that asks for a client's certificate: its URL, and the folder of a client's files."""
    need([] if shutil.which("openssl") else ["openssl"])
    folder = tmp_path_factory.mktemp("tls")
    for name, options in {
        "ca": [], "server": ["-CA", "ca.pem", "-CAkey", "ca-key.pem", "-addext", "subjectAltName=IP:127.0.0.1"],
        "client": ["-CA", "ca.pem", "-CAkey", "ca-key.pem"], "other": [],
    }.items():  # fmt: skip
        make = ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", "2"]
        made = [*make, "-subj", f"/CN={name}", "-keyout", f"{name}-key.pem", "-out", f"{name}.pem", *options]
        subprocess.run(made, cwd=folder, check=True, capture_output=True)
    client = folder / "client"
    client.mkdir()
    for file, name in (("ca.pem", "ca.pem"), ("client.pem", "cert.pem"), ("client-key.pem", "key.pem")):
        shutil.copy(folder / file, client / name)
    port = free_port()
    engine.command += ["-H", f"tcp://127.0.0.1:{port}", "--tlsverify", "--tlscacert", str(folder / "ca.pem")]
    engine.command += ["--tlscert", str(folder / "server.pem"), "--tlskey", str(folder / "server-key.pem")]
    engine.restart()
    return f"tcp://127.0.0.1:{port}", client


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def texts(name: str = "app") -> list[str]:
    """What the reached engine's container has printed."""
    (container,) = docker.connect().find([name])
    return sorted(text for batch in docker.read(container, dict[str, int]().get) for text in batch.lines["text"])


def context(folder: Path, name: str, host: str, files: Path | None = None) -> None:
    """A context as `docker context create` writes it."""
    key = hashlib.sha256(name.encode()).hexdigest()
    meta = folder / "contexts" / "meta" / key
    meta.mkdir(parents=True)
    endpoints = {"docker": {"Host": host, "SkipTLSVerify": False}}
    (meta / "meta.json").write_text(json.dumps({"Name": name, "Metadata": {}, "Endpoints": endpoints}))
    if files:
        shutil.copytree(files, folder / "contexts" / "tls" / key / "docker")


def test_tls_trusts_the_engines_own_authority_whatever_is_set_for_the_web(
    tls: tuple[str, Path], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    url, client = tls
    other = client.parent / "other.pem"
    for name, value in {"REQUESTS_CA_BUNDLE": other, "CURL_CA_BUNDLE": other, "HTTPS_PROXY": "http://127.0.0.1:9"}.items():
        monkeypatch.setenv(name, str(value))
    monkeypatch.setenv("DOCKER_HOST", url)
    with pytest.raises(UnavailableError, match="only over TLS"):
        docker.connect()
    monkeypatch.setenv("DOCKER_TLS_VERIFY", "1")
    monkeypatch.setenv("DOCKER_CERT_PATH", str(client))
    assert texts() == ["one", "two"]
    shutil.copytree(client, tmp_path / "wrong")
    shutil.copy(other, tmp_path / "wrong" / "ca.pem")
    monkeypatch.setenv("DOCKER_CERT_PATH", str(tmp_path / "wrong"))
    with pytest.raises(UnavailableError, match="certificate is not trusted"):
        docker.connect()
    monkeypatch.delenv("DOCKER_TLS_VERIFY")
    with warnings.catch_warnings(record=True) as warned:
        assert texts() == ["one", "two"]
    assert warned == []


def test_contexts_by_name_and_by_choice(
    engine: Restartable, tls: tuple[str, Path], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    config = tmp_path / "config"
    context(config, "near", engine.host)
    context(config, "far", *tls)
    for name in ("near", "far"):
        monkeypatch.setenv("DOCKER_CONTEXT", name)
        assert texts() == ["one", "two"]
    monkeypatch.setenv("DOCKER_CONTEXT", "fra")
    with pytest.raises(UnavailableError, match="unknown Docker context: fra"):
        docker.connect()
    monkeypatch.setenv("DOCKER_HOST", engine.host)
    assert docker.connect().url == engine.host
    monkeypatch.delenv("DOCKER_HOST")
    monkeypatch.delenv("DOCKER_CONTEXT")
    (config / "config.json").write_text('{"currentContext": "far"}')
    assert docker.connect().url == tls[0]
    (config / "config.json").write_text("{")
    with pytest.raises(UnavailableError, match="Docker configuration cannot be read"):
        docker.connect()


@pytest.fixture
def host(engine: Restartable, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[tuple[str, Path]]:
    """An ssh server of its own, where `docker` reaches the engine: its URL, and the file of who may log in."""
    server = shutil.which("sshd", path=f"{os.environ['PATH']}:/usr/sbin")
    need([] if server and shutil.which("ssh") else ["openssh-server and openssh-client"])
    Path("/run/sshd").mkdir(exist_ok=True)
    for key in ("host", "id"):
        subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", str(tmp_path / key)], check=True)
    allowed, port = tmp_path / "allowed", free_port()
    shutil.copy(tmp_path / "id.pub", allowed)
    (tmp_path / "sshd_config").write_text(
        f"Port {port}\nListenAddress 127.0.0.1\nHostKey {tmp_path}/host\nAuthorizedKeysFile {allowed}\nPidFile none\n"
        f"StrictModes no\nUsePAM no\nPermitRootLogin prohibit-password\nSetEnv DOCKER_HOST={engine.host}\n"
    )
    # ssh asks the user's record, not HOME, where its configuration is.
    (tmp_path / "bin").mkdir()
    program = tmp_path / "bin" / "ssh"
    program.write_text(
        f'#!/bin/sh\nexec {shutil.which("ssh")} -F none -i {tmp_path}/id -o IdentitiesOnly=yes -o IdentityAgent=none'
        f' -o StrictHostKeyChecking=no -o UserKnownHostsFile={tmp_path}/known "$@"\n'
    )
    program.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}/bin:{os.environ['PATH']}")
    with (tmp_path / "log").open("wb") as log:
        running = subprocess.Popen([str(server), "-D", "-e", "-f", str(tmp_path / "sshd_config")], stderr=log)
    try:
        until(lambda: b"listening" in (tmp_path / "log").read_bytes())
        yield f"ssh://root@127.0.0.1:{port}", allowed
    finally:
        running.terminate()
        running.wait(60)


def test_ssh_needs_only_the_ssh_program_and_what_it_says_is_passed_on(
    engine: Restartable, printed: None, host: tuple[str, Path], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    url, allowed = host
    context(tmp_path / "config", "behind", url)
    monkeypatch.setenv("DOCKER_CONTEXT", "behind")
    assert texts() == ["one", "two"]
    monkeypatch.setenv("DOCKER_HOST", f"{url}/nowhere.sock")
    with pytest.raises(UnavailableError, match=r"behind ssh does not answer: .*nowhere\.sock"):
        docker.connect()
    monkeypatch.setenv("DOCKER_HOST", url)
    allowed.write_text("")
    with pytest.raises(UnavailableError, match=r"behind ssh does not answer: .*Permission denied \(publickey"):
        docker.connect()
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(UnavailableError, match="needs the program ssh"):
        docker.connect()


def test_an_address_with_a_password_is_refused_without_repeating_it() -> None:
    with pytest.raises(UsageError) as raised:
        ssh.SshAdapter("ssh://me:secret@host")
    assert "secret" not in f"{raised.value} {raised.value.where}"


@pytest.fixture
def podman(tmp_path: Path) -> Iterator[tuple[list[str], str]]:
    """A private Podman: how to call it, and the URL of its socket."""
    need([] if shutil.which("podman") else ["podman"])
    run = Path(tempfile.mkdtemp(prefix="triage-podman-"))  # a socket's path must be short
    store = ["--root", str(tmp_path / "root"), "--runroot", str(run / "run"), "--storage-driver", "vfs"]
    call = ["podman", *store, "--cgroup-manager", "cgroupfs"]
    socket_file = run / "podman.sock"
    with (tmp_path / "log").open("wb") as log:
        serving = subprocess.Popen([*call, "system", "service", "--time", "0", f"unix://{socket_file}"], stderr=log)
    try:
        until(socket_file.exists)
        yield call, f"unix://{socket_file}"
    finally:
        subprocess.run([*call, "rm", "--all", "--force", "--time", "0"], check=False, capture_output=True)
        serving.terminate()
        serving.wait(60)
        shutil.rmtree(run, ignore_errors=True)


def test_podmans_stamps_of_whole_seconds_lose_and_double_nothing(
    podman: tuple[list[str], str], engine: Restartable, monkeypatch: pytest.MonkeyPatch
) -> None:
    call, url = podman

    def run(*arguments: str, data: bytes | None = None) -> None:
        without = {name: value for name, value in os.environ.items() if not name.startswith("DOCKER_")}
        done = subprocess.run([*call, *arguments], input=data, capture_output=True, check=False, env=without)
        assert not done.returncode, done.stderr.decode()

    image = subprocess.run(["docker", "save", engine.image], env=engine.engine.env, capture_output=True, check=True).stdout
    run("load", data=image)
    script = "for n in $(seq 1 200); do echo out $n; echo err $n >&2; done"
    # Podman's own limits are the highest, which a container's inside may not set.
    limits = ("--ulimit", "nofile=1024:1024", "--ulimit", "nproc=1024:1024")
    options = ("--pull", "never", "--network", "none", "--log-driver", "k8s-file", *limits)
    run("run", "--name", "app", *options, engine.image, "sh", "-c", script)
    monkeypatch.setenv("DOCKER_HOST", url)
    stored: dict[str, int] = {}

    def new() -> list[str]:
        (container,) = docker.connect().find(["app"])
        texts = []
        for batch in docker.read(container, stored.get):
            if batch.lines.height:
                stored.update(batch.cursors_after(batch.lines.height))
                texts += batch.lines["text"].to_list()
        return sorted(texts)

    once = sorted(f"{stream} {n}" for stream in ("out", "err") for n in range(1, 201))
    assert (new(), new()) == (once, [])
    run("start", "--attach", "app")
    assert (new(), new()) == (once, [])

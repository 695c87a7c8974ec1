"""What a program written with the Python SDK does: run, streams, sockets, files, networks, volumes. argv: URL of the engine."""

import io
import socket
import sys
import tarfile

import docker

client = docker.DockerClient(base_url=sys.argv[1])
api = client.api

assert client.ping()
assert client.containers.run("busybox", ["echo", "hello"], remove=True) == b"hello\n"
try:
    client.containers.run("busybox", ["sh", "-c", "echo bad >&2; exit 3"], remove=True)
    raise AssertionError("no error")
except docker.errors.ContainerError as error:
    assert error.exit_status == 3 and error.stderr == b"bad\n", error
try:
    client.containers.get("nope")
    raise AssertionError("no error")
except docker.errors.NotFound as error:
    assert error.explanation == "No such container: nope", error

volume = client.volumes.create("sdk-volume", labels={"a": "b"})
network = client.networks.create("sdk-network", labels={"a": "b"})
container = client.containers.run(
    "busybox",
    ["sh", "-c", "i=0; while true; do echo $i; i=$((i+1)); sleep 0.1; done"],
    name="sdk",
    detach=True,
    labels={"k": "v"},
    environment={"A": "b"},
    volumes={"sdk-volume": {"bind": "/v", "mode": "rw"}},
    network="sdk-network",
    ports={"80/tcp": None},
    mem_limit="64m",
)
container.reload()
assert container.status == "running" and container.labels["k"] == "v"
assert "sdk-network" in container.attrs["NetworkSettings"]["Networks"]
assert int(container.ports["80/tcp"][0]["HostPort"]) > 0
assert [one.name for one in client.containers.list(filters={"label": "k=v"})] == ["sdk"]

follow = container.logs(stream=True, follow=True)
assert [next(follow).strip() for _ in range(3)] == [b"0", b"1", b"2"]
follow.close()
attached = container.attach(stream=True, logs=True)
# The SDK reads the head through a buffer and the output past it: nothing of the output may come in the same read.
first = next(attached)
assert first.split(b"\n")[0] == b"0", first
attached.close()

code, output = container.exec_run(["sh", "-c", "echo out; echo err >&2; exit 4"], demux=True)
assert code == 4 and output == (b"out\n", b"err\n"), (code, output)

exec_id = api.exec_create("sdk", ["cat"], stdin=True)["Id"]
stream = api.exec_start(exec_id, socket=True)
stream._sock.sendall(b"through a socket\n")
stream._sock.shutdown(socket.SHUT_WR)
assert stream.read(8) == b"\x01\x00\x00\x00\x00\x00\x00\x11"
assert stream.read(17) == b"through a socket\n"
assert stream.read(1) == b""
stream.close()

archive = io.BytesIO()
with tarfile.open(fileobj=archive, mode="w") as tar:
    info = tarfile.TarInfo("file")
    info.size = 5
    tar.addfile(info, io.BytesIO(b"bytes"))
assert container.put_archive("/root", archive.getvalue())
chunks, stat = container.get_archive("/root/file")
assert stat["name"] == "file" and stat["size"] == 5
with tarfile.open(fileobj=io.BytesIO(b"".join(chunks))) as tar:
    assert tar.extractfile("file").read() == b"bytes"

assert container.stats(stream=False)["memory_stats"]["limit"] == 64 * 1024 * 1024
assert container.top()["Titles"]
network.disconnect(container)
network.connect(container, aliases=["other"])
container.kill()
assert container.wait()["StatusCode"] == 137
container.remove(v=True)
network.remove()
volume.remove()
print("done")

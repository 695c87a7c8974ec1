"""Every operation on containers and execs through the Python SDK. argv: URL of the engine."""

import io
import sys
import tarfile
import threading

import docker

client = docker.DockerClient(base_url=sys.argv[1], timeout=60)
api = client.api


def fails(status, act):
    try:
        act()
    except docker.errors.APIError as error:
        assert error.response.status_code == status, error
        return error.explanation
    raise AssertionError("no error")


loop = ["sh", "-c", "trap 'exit 7' TERM; echo ready; while :; do sleep 0.1; done"]
box = client.containers.create(
    "busybox",
    loop,
    name="py",
    hostname="box",
    labels={"k": "v"},
    environment=["A=b"],
    mem_limit="64m",
    nano_cpus=500000000,
    pids_limit=50,
    cap_add=["NET_ADMIN"],
    cap_drop=["MKNOD"],
    devices=["/dev/zero:/dev/nought:r"],
    dns=["192.0.2.1"],
    extra_hosts={"db": "192.0.2.2"},
    group_add=["27"],
    healthcheck={"test": ["CMD", "true"], "interval": 3600 * 10**9},
    init=True,
    ipc_mode="shareable",
    log_config={"type": "json-file", "config": {"max-size": "1m"}},
    mounts=[docker.types.Mount("/mounted", "py-data", type="volume")],
    network_mode="none",
    oom_score_adj=100,
    security_opt=["no-new-privileges"],
    shm_size="8m",
    stop_signal="SIGTERM",
    sysctls={"net.ipv4.ip_forward": "1"},
    tmpfs={"/scratch": "size=1m"},
    ulimits=[docker.types.Ulimit(name="nofile", soft=100, hard=200)],
    user="0",
    volumes={"/tmp": {"bind": "/host", "mode": "ro"}},
    working_dir="/app",
)
assert box.status == "created"
host = box.attrs["HostConfig"]
assert host["Memory"] == 64 << 20 and host["NanoCpus"] == 500000000 and host["Ulimits"][0]["Name"] == "nofile"
assert fails(409, lambda: client.containers.create("busybox", name="py")).startswith("Conflict.")

box.start()
for line in box.logs(stream=True, follow=True):
    assert line == b"ready\n"
    break
box.reload()
assert box.status == "running" and box.attrs["State"]["Pid"] > 0
assert [one.name for one in client.containers.list(filters={"status": "running", "label": ["k=v"]})] == ["py"]
assert client.containers.list(all=True, filters={"name": "nope"}) == []

assert box.logs(stdout=True, stderr=False, tail=1) == b"ready\n"
assert box.logs(timestamps=True)[:2] == b"20" and box.logs(until=1) == b""
top = box.top()
assert top["Titles"][0] == "UID" and any("sleep" in row[-1] for row in top["Processes"])
assert box.top(ps_args="-o pid,comm")["Titles"] == ["PID", "COMMAND"]
fails(400, lambda: box.top(ps_args="-zz"))

once = box.stats(stream=False)
assert once["memory_stats"]["limit"] == 64 << 20 and once["cpu_stats"]["online_cpus"] > 0
assert once["precpu_stats"]["cpu_usage"]["total_usage"] > 0 and once["pids_stats"]["current"] > 0
samples = box.stats(stream=True, decode=True)
first, second = next(samples), next(samples)
assert second["preread"] == first["read"] and second["id"] == box.id
samples.close()

code, output = box.exec_run("cat /proc/self/limits", user="0", environment={"X": "y"}, workdir="/")
assert code == 0 and b"Max open files            100" in output
assert box.exec_run(["sh", "-c", "pwd; id -u; echo $A"])[1] == b"/app\n0\nb\n"
assert box.exec_run("false")[0] == 1
assert box.exec_run("nosuch")[0] == 127
made = api.exec_create("py", ["sh", "-c", "stty size; exit 3"], tty=True, stdin=True)["Id"]
assert api.exec_inspect(made)["Running"] is False
text = b"".join(api.exec_start(made, tty=True, stream=True))
assert text.strip() == b"0 0" or b" " in text, text
assert api.exec_inspect(made)["ExitCode"] == 3
sleeper = api.exec_create("py", ["sleep", "100"], tty=True)["Id"]
api.exec_start(sleeper, detach=True, tty=True)
assert api.exec_inspect(sleeper)["Running"] is True
api.exec_resize(sleeper, height=30, width=90)
fails(404, lambda: api.exec_inspect("nope"))

assert box.diff() is None or {"Path": "/app", "Kind": 1} in box.diff()
box.exec_run(["sh", "-c", "echo x >/app/file"])
assert {"Path": "/app/file", "Kind": 1} in box.diff()
archive = io.BytesIO()
with tarfile.open(fileobj=archive, mode="w") as tar:
    info = tarfile.TarInfo("put")
    info.size = 3
    tar.addfile(info, io.BytesIO(b"put"))
assert box.put_archive("/mounted", archive.getvalue())
chunks, stat = box.get_archive("/mounted/put")
assert stat["name"] == "put" and stat["size"] == 3 and b"".join(chunks).startswith(b"put\0")
fails(404, lambda: box.get_archive("/nope"))
fails(403, lambda: box.put_archive("/host", archive.getvalue()))
with tarfile.open(fileobj=io.BytesIO(b"".join(box.export()))) as tar:
    assert "app/file" in tar.getnames() and "mounted/put" not in tar.getnames()

box.pause()
box.reload()
assert box.status == "paused"
assert "is paused" in fails(409, lambda: box.exec_run("true"))
box.unpause()
assert box.update(mem_limit="96m", memswap_limit=-1, cpu_shares=512)["Warnings"] in (None, [])
box.reload()
assert box.attrs["HostConfig"]["Memory"] == 96 << 20 and box.attrs["HostConfig"]["CpuShares"] == 512
box.update(restart_policy={"Name": "on-failure", "MaximumRetryCount": 2})
box.update(restart_policy={"Name": "no"})
box.rename("py2")
box.reload()
assert box.name == "py2"
fails(400, lambda: box.resize("x", 1))
image = box.commit(repository="py-made", tag="one", message="m", author="a", changes=["ENV MADE=yes"])
assert "MADE=yes" in image.attrs["Config"]["Env"] and image.tags == ["py-made:one"]

box.restart(timeout=5)
box.kill("SIGCONT")
result = {}
waiter = threading.Thread(target=lambda: result.update(box.wait(condition="next-exit", timeout=60)))
waiter.start()
box.stop(timeout=20)
waiter.join()
assert result["StatusCode"] == 7, result
fails(409, lambda: box.kill())
fails(409, lambda: box.pause())
assert box.wait()["StatusCode"] == 7

terminal = client.containers.create("busybox", ["sh"], tty=True, stdin_open=True, name="py-tty")
attached = terminal.attach_socket(params={"stdin": 1, "stdout": 1, "stderr": 1, "stream": 1})
terminal.start()
terminal.resize(40, 100)
attached._sock.sendall(b"stty size; exit 4\n")
seen = b""
while True:
    piece = attached._sock.recv(4096)
    if not piece:
        break
    seen += piece
assert b"40 100" in seen, seen
assert terminal.wait()["StatusCode"] == 4
terminal.remove()
assert client.containers.run("py-made:one", ["sh", "-c", "echo $MADE; cat /app/file"], remove=True) == b"yes\nx\n"

assert box.id in client.containers.prune(filters={"label": "k=v"})["ContainersDeleted"]
fails(404, lambda: box.reload())
client.images.remove("py-made:one")
client.volumes.get("py-data").remove()
print("done")

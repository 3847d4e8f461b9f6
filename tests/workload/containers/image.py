"""Makes an image of a container: image.py FILE TAG.

It has next to nothing in it: whoever runs it mounts the host's /usr. Alone it can wait, as the sandbox of a pod does. The form is
that of `docker save`, which podman, docker and containerd all load.
"""

import hashlib
import io
import json
import sys
import tarfile

file, tag = sys.argv[1], sys.argv[2]


def archive(fill):
    """The bytes of a tar."""
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w") as tar:
        fill(tar)
    return out.getvalue()


def put(tar, name, content, mode=0o644):
    """A file."""
    info = tarfile.TarInfo(name)
    info.size, info.mode = len(content), mode
    tar.addfile(info, io.BytesIO(content))


def layer(tar):
    """The only layer: folders to mount on, links into /usr, and what waits."""
    for folder in ("usr", "proc", "sys", "dev", "etc", "run", "tmp", "srv"):
        info = tarfile.TarInfo(folder)
        info.type, info.mode = tarfile.DIRTYPE, 0o755
        tar.addfile(info)
    for name in ("bin", "sbin", "lib", "lib64"):
        info = tarfile.TarInfo(name)
        info.type, info.linkname = tarfile.SYMTYPE, f"usr/{name}"
        tar.addfile(info)
    # As in any image: who has no rights.
    put(tar, "etc/passwd", b"root:x:0:0:root:/root:/bin/sh\nnobody:x:65534:65534:nobody:/:/bin/false\n")
    with open("/usr/bin/catatonit", "rb") as program:
        put(tar, "pause", program.read(), 0o755)


content = archive(layer)
digest = hashlib.sha256(content).hexdigest()
config = {
    "architecture": "amd64",
    "os": "linux",
    "config": {"Cmd": ["/pause", "-P"], "Env": ["PATH=/usr/sbin:/usr/bin:/sbin:/bin"]},
    "rootfs": {"type": "layers", "diff_ids": [f"sha256:{digest}"]},
}
config = json.dumps(config).encode()
name = f"{hashlib.sha256(config).hexdigest()}.json"
manifest = [{"Config": name, "RepoTags": [tag], "Layers": [f"{digest}/layer.tar"]}]


def image(tar):
    """Everything."""
    put(tar, name, config)
    put(tar, f"{digest}/layer.tar", content)
    put(tar, "manifest.json", json.dumps(manifest).encode())


with open(file, "wb") as out:
    out.write(archive(image))

"""Starts a pod with one container as a kubelet does, by containerd's CRI: cri.py IMAGE NAMESPACE POD UID CONTAINER FOLDER COMMAND...

FOLDER and /usr are mounted where they are. It prints the ids of the pod and of the container. Messages are written by hand: Debian has
no stubs of the CRI. The numbers of their fields are those of its api.proto, version v1.
"""

import sys

import grpc

image, namespace, pod, uid, name, folder, *command = sys.argv[1:]
NODE = 2


def number(value):
    """A number as protobuf writes it."""
    out = bytearray()
    while value >= 0x80:
        out.append(value & 0x7F | 0x80)
        value >>= 7
    out.append(value)
    return bytes(out)


def field(tag, value):
    """A field: a number, a text or a message."""
    if isinstance(value, int):
        return number(tag << 3) + number(value)
    value = value.encode() if isinstance(value, str) else value
    return number(tag << 3 | 2) + number(len(value)) + value


def mount(path, readonly):
    """A folder of the host, in the same place."""
    return field(7, field(1, path) + field(2, path) + (field(3, 1) if readonly else b""))


def first_text(message):
    """The first field of an answer, which is an id."""
    length = message[1]
    return message[2 : 2 + length].decode()


def ask(method, message):
    """Calls the runtime."""
    call = channel.unary_unary(f"/runtime.v1.RuntimeService/{method}")
    try:
        return call(message, timeout=120)
    except grpc.RpcError as error:
        sys.exit(f"{method}: {error.details()}")


channel = grpc.insecure_channel("unix:///run/containerd/containerd.sock")
host_network = field(1, field(1, NODE))
metadata = field(1, pod) + field(2, uid) + field(3, namespace)
linux = field(1, f"/kubepods/besteffort/pod{uid}") + field(2, host_network)
sandbox = field(1, metadata) + field(8, linux)
pod_id = first_text(ask("RunPodSandbox", field(1, sandbox)))
container = field(1, field(1, name)) + field(2, field(1, image))
container += b"".join(field(3, part) for part in command)
container += mount("/usr", True) + mount(folder, False)
container += field(15, field(2, field(3, field(1, NODE))))
container_id = first_text(ask("CreateContainer", field(1, pod_id) + field(2, container) + field(3, sandbox)))
ask("StartContainer", field(1, container_id))
print(pod_id, container_id, flush=True)

# Opens three connections and keeps them. Without the standard library: a guest has little of it.
import _socket
import sys
import time

kept = []


class Client:
    def query_status(self, path):
        connection = _socket.socket(_socket.AF_UNIX, _socket.SOCK_STREAM)
        connection.connect(path)  # here: Client.query_status
        kept.append(connection)


def main():
    client = Client()
    for _ in range(3):
        client.query_status(sys.argv[1])
    print("ready", flush=True)
    time.sleep(3600)


main()

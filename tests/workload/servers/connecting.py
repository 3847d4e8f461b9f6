"""Connections to real servers by their usual client libraries.

`opener(server)` imports the library and returns a function that takes the path of the server's socket and opens one connection.
A connection has two methods: `use()` makes one exchange with the server, and `close()` closes it. When the server turns the
client away, opening or the first use raises an exception of the library.
"""

import os

# A client that waits in the accept queue, or for an answer, gives up after so many seconds: an emulated processor is slow.
PATIENCE = 60


class Connection:
    """One connection of any library."""

    def __init__(self, kept, use, close):
        # What the library would close once nobody refers to it.
        self.kept = kept
        self.use = use
        self.close = close


def opened(kept, use, close):
    """A connection that has proved to work. What does not is closed, and the reason is raised again."""
    connection = Connection(kept, use, close)
    try:
        use()
    except Exception:
        close()
        raise
    return connection


def postgresql():
    import psycopg2

    def connect(socket):
        folder = os.path.dirname(socket)
        database = psycopg2.connect(host=folder, dbname="postgres", user="app", connect_timeout=PATIENCE)
        database.autocommit = True

        def use():
            with database.cursor() as cursor:
                cursor.execute("SELECT 1")
                cursor.fetchone()

        return opened(database, use, database.close)

    return connect


def mariadb():
    import pymysql

    def connect(socket):
        database = pymysql.connect(unix_socket=socket, user="app", connect_timeout=PATIENCE)
        return opened(database, lambda: database.ping(reconnect=False), database.close)

    return connect


def redis():
    import redis as library

    def connect(socket):
        link = library.UnixDomainSocketConnection(path=socket, socket_timeout=PATIENCE)
        link.connect()

        def use():
            link.send_command("PING")
            link.read_response()

        return opened(link, use, link.disconnect)

    return connect


def memcached():
    from pymemcache.client.base import Client

    def connect(socket):
        client = Client(socket, connect_timeout=PATIENCE, timeout=PATIENCE)
        return opened(client, client.version, client.close)

    return connect


def dbus():
    import dbus as library

    def connect(socket):
        bus = library.bus.BusConnection(f"unix:path={socket}")
        bus.set_exit_on_disconnect(False)
        return opened(bus, bus.list_names, bus.close)

    return connect


def xvfb():
    from Xlib.display import Display

    def connect(socket):
        number = os.path.basename(socket).removeprefix("X")
        display = Display(f":{number}")
        return opened(display, display.sync, display.close)

    return connect


def php_fpm():
    from http.client import HTTPConnection

    # nginx is between this client and php-fpm: what this client is given is nginx's port.
    def connect(port):
        return requesting(HTTPConnection("127.0.0.1", int(port), timeout=PATIENCE))

    return connect


def gunicorn():
    import socket as sockets
    from http.client import HTTPConnection

    class UnixHTTPConnection(HTTPConnection):
        """HTTP over a unix socket."""

        def __init__(self, path):
            super().__init__("localhost")
            self.path = path

        def connect(self):
            self.sock = sockets.socket(sockets.AF_UNIX)
            # With a time limit, connecting to a full accept queue fails at once.
            self.sock.settimeout(PATIENCE)
            self.sock.connect(self.path)

    return lambda path: requesting(UnixHTTPConnection(path))


def requesting(http):
    """A connection that makes one request, and is closed then."""

    def use():
        http.request("GET", "/")
        answer = http.getresponse()
        answer.read()
        if answer.status != 200:
            raise RuntimeError(f"answered with {answer.status}")

    def close():
        http.close()

    return Connection(http, use, close)


SERVERS = {
    "postgresql": postgresql,
    "mariadb": mariadb,
    "redis": redis,
    "memcached": memcached,
    "dbus": dbus,
    "xvfb": xvfb,
    "php-fpm": php_fpm,
    "gunicorn": gunicorn,
}


def opener(server):
    """Imports the client library of a server. The result opens a connection to the socket that it is given."""
    return SERVERS[server]()

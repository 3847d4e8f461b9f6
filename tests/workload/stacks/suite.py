# A test suite with one test that forgets to close; called with `fixed`, it does not forget. Without the standard library: a guest
# has little of it.
import _socket
import sys
import time

kept = []


def dial():
    connection = _socket.socket(_socket.AF_UNIX, _socket.SOCK_STREAM)
    connection.connect(sys.argv[1])
    return connection


def test_ping():
    dial().close()


def test_status():
    connection = dial()  # here: test_status
    if sys.argv[2:] == ["fixed"]:
        connection.close()
    else:
        kept.append(connection)


def test_quit():
    connection = dial()
    time.sleep(1)
    connection.close()


for test in [test_ping, test_status, test_quit]:
    test()
print("3 tests passed")

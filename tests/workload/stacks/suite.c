/* A test suite with one test that forgets to close; called with `fixed`, it does not forget. */
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

static const char *path;
static int is_fixed;

static int dial(void)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    strncpy(address.sun_path, path, sizeof address.sun_path - 1);
    int fd = socket(AF_UNIX, SOCK_STREAM, 0);
    if (connect(fd, (struct sockaddr *)&address, sizeof address) != 0) {
        perror("connect");
        _exit(1);
    }
    return fd;
}

__attribute__((noinline)) static void test_ping(void)
{
    int fd = dial();
    close(fd);
}

__attribute__((noinline)) static void test_status(void)
{
    int fd = dial(); /* here: test_status */
    if (is_fixed) {
        close(fd);
    }
}

__attribute__((noinline)) static void test_quit(void)
{
    int fd = dial();
    sleep(1);
    close(fd);
}

int main(int count, char **arguments)
{
    if (count < 2) {
        return 2;
    }
    path = arguments[1];
    is_fixed = count > 2 && strcmp(arguments[2], "fixed") == 0;
    test_ping();
    test_status();
    test_quit();
    puts("3 tests passed");
    return 0;
}

// A test suite with one test that forgets to close; called with `fixed`, it does not forget.
package main

import (
	"fmt"
	"net"
	"os"
	"time"
)

var kept []net.Conn

func dial() net.Conn {
	connection, err := net.Dial("unix", os.Args[1])
	if err != nil {
		fmt.Println(err)
		os.Exit(1)
	}
	return connection
}

//go:noinline
func testPing() {
	connection := dial()
	connection.Close()
}

//go:noinline
func testStatus() {
	connection := dial() // here: main.testStatus
	if len(os.Args) > 2 && os.Args[2] == "fixed" {
		connection.Close()
		return
	}
	// The collector would close it.
	kept = append(kept, connection)
}

//go:noinline
func testQuit() {
	connection := dial()
	time.Sleep(time.Second)
	connection.Close()
}

func main() {
	testPing()
	testStatus()
	testQuit()
	fmt.Println("3 tests passed")
}

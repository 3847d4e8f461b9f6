// Opens three connections and keeps them.
package main

import (
	"fmt"
	"net"
	"os"
	"time"
)

var kept []net.Conn

func queryStatus(path string) {
	connection, err := net.Dial("unix", path) // here: main.queryStatus
	if err != nil {
		fmt.Println(err)
		return
	}
	kept = append(kept, connection)
}

func main() {
	for i := 0; i < 3; i++ {
		queryStatus(os.Args[1])
	}
	fmt.Println("ready")
	time.Sleep(time.Hour)
}

package main

import (
	"context"
	"fmt"
	"net"
	"net/http"
	"os"
	"os/signal"
	"sync/atomic"
	"syscall"
	"time"
)

func main() {
	// The first of the sockets that Huddle hands over.
	listener, err := net.FileListener(os.NewFile(3, "listen"))
	if err != nil {
		panic(err)
	}
	var leaving atomic.Bool
	server := &http.Server{Handler: http.HandlerFunc(func(response http.ResponseWriter, _ *http.Request) {
		// Whoever keeps a connection is asked to open another one, which the next release will take.
		if leaving.Load() {
			response.Header().Set("Connection", "close")
		}
		fmt.Fprintln(response, os.Getenv("HUDDLE_REVISION"))
	})}
	go server.Serve(listener)

	stopped, _ := signal.NotifyContext(context.Background(), syscall.SIGTERM)
	<-stopped.Done()
	leaving.Store(true)
	// Shutdown closes idle connections at once, on which a request may be on its way: two seconds for it.
	listener.Close()
	time.Sleep(2 * time.Second)
	server.Shutdown(context.Background())
}

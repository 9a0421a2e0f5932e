//go:build tools

// Package tools pins etcd, which keeps what a cluster's API server knows.
package tools

import _ "go.etcd.io/etcd/server/v3"

// Package openapi holds the contract of the HTTP API (openapi.yaml, OpenAPI 3.1) and the models generated from it. The
// gateway answers with these models; package client is generated from the same file.
package openapi

import _ "embed"

//go:generate go tool -modfile=tools/go.mod oapi-codegen -config models.yaml -o models.gen.go openapi.yaml
//go:generate go tool -modfile=tools/go.mod oapi-codegen -config client.yaml -o client/client.gen.go openapi.yaml

//go:embed openapi.yaml
var contract string

// Contract is openapi.yaml as it was built in.
func Contract() string { return contract }

// Package openapi writes the description of the HTTP API, version 3.1 of OpenAPI: from the server's
// table of routes, from the one table of the questions' parameters, and from the schemas of bodies and
// answers that are written by hand in components.json.
//
// It decides nothing: what it says is held against the running server by the server's tests. It starts
// no goroutines and writes no files.
package openapi

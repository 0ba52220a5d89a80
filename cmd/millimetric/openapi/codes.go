package openapi

import "strconv"

// Refusal is a status with which requests are refused, and the codes that come with it.
type Refusal struct {
	Status      int
	Name        string // of the response in the document
	Description string
	Codes       []string
	Retry       bool // Retry-After says when to try again
	Keyed       bool // only where a key is needed
}

// Refusals are all that the server refuses requests with.
func Refusals() []Refusal {
	return []Refusal{
		{Status: 400, Name: "BadRequest", Description: "The request is wrong; details name the field", Codes: []string{
			"invalid_payload", "invalid_params", "invalid_group_by", "query_too_large"}},
		{Status: 401, Name: "Unauthorized", Description: "The key is missing or no good", Keyed: true, Codes: []string{
			"missing_bearer_token", "malformed_api_key", "invalid_api_key", "key_kind_mismatch"}},
		{Status: 403, Name: "Forbidden", Description: "The key may not do this", Keyed: true, Codes: []string{
			"origin_not_allowed", "insufficient_scope", "forget_requires_secret_key", "key_kind_not_allowed", "account_key_required", "project_archived"}},
		{Status: 404, Name: "NotFound", Description: "What was named isn't there", Codes: []string{"not_found"}},
		{Status: 405, Name: "MethodNotAllowed", Description: "The path has no such method; Allow names those that it has", Codes: []string{"method_not_allowed"}},
		{Status: 408, Name: "RequestTimeout", Description: "The request came too slowly", Codes: []string{"request_timeout"}},
		{Status: 413, Name: "PayloadTooLarge", Description: "The body is too large, packed or unpacked", Codes: []string{"payload_too_large"}},
		{Status: 415, Name: "UnsupportedMediaType", Description: "The body comes in a coding or type that isn't understood", Codes: []string{"unsupported_media_type"}},
		{Status: 429, Name: "TooManyRequests", Description: "Too many requests", Codes: []string{"rate_limited"}, Retry: true},
		{Status: 431, Name: "HeadersTooLarge", Description: "The headers are too large or too many", Codes: []string{"headers_too_large"}},
		{Status: 500, Name: "InternalError", Description: "The server's fault", Codes: []string{"internal_error", "forget_failed"}},
		{Status: 503, Name: "Unavailable", Description: "Not now; outcome_unknown is safe to retry with the same event_id", Codes: []string{
			"overloaded", "disk_low", "outcome_unknown", "damaged"}, Retry: true},
	}
}

// response describes a refusal.
func (r Refusal) response() schema {
	response := schema{"description": r.Description, "content": jsonContent(schema{"allOf": []schema{
		{"$ref": refs + "Error"}, {"properties": schema{"error": schema{"enum": r.Codes}}}}})}
	switch {
	case r.Retry:
		response["headers"] = schema{"Retry-After": schema{"description": "seconds, where a retry helps", "schema": schema{"type": "string"}}}
	case r.Status == 401:
		response["headers"] = schema{"WWW-Authenticate": schema{"schema": schema{"type": "string"}}}
	}
	return response
}

func (r Refusal) status() string { return strconv.Itoa(r.Status) }

func jsonContent(of schema) schema { return schema{"application/json": schema{"schema": of}} }

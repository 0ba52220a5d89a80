package openapi

import "millimetric/query"

// mediaOf are the types of the forms in which an answer may be written.
var mediaOf = map[string]string{
	"csv": "text/csv", "svg": "image/svg+xml", "ndjson": "application/x-ndjson", "parquet": "application/vnd.apache.parquet",
}

// ask completes the operation of a question: its parameters in the query string of a GET, or as members of
// the body of a POST.
func ask(op schema, method string, d query.Description) {
	take(op, method, d)
	content := jsonContent(schema{"allOf": []schema{{"$ref": refs + "Envelope"}, {"$ref": refs + answerNames[d.Name]}}})
	if format, ok := d.Param("format"); ok {
		for _, word := range format.Words {
			if media := mediaOf[word]; media != "" {
				content[media] = schema{"schema": schema{"type": "string"}}
			}
		}
	}
	op["responses"].(schema)["200"] = schema{"description": "The answer", "content": content}
}

// take describes what a question takes.
func take(op schema, method string, d query.Description) {
	op["tags"], op["summary"] = []string{"questions"}, d.Short
	if method == "POST" {
		op["requestBody"] = schema{"required": true, "content": jsonContent(bodyOf(d))}
	} else {
		parameters := op["parameters"].([]schema)
		for _, p := range d.Params {
			parameters = append(parameters, parameter(d, p))
		}
		op["parameters"] = parameters
	}
}

// list completes the operation of a listing, whose answer is streamed.
func list(op schema, method string, d query.Description) {
	take(op, method, d)
	content := schema{}
	format, _ := d.Param("format")
	for _, word := range format.Words {
		content[mediaOf[word]] = schema{"schema": schema{"type": "string"}}
	}
	op["responses"].(schema)["200"] = schema{"description": "The events, streamed", "content": content, "headers": schema{
		"Millimetric-As-Of": schema{"description": "position up to which events are listed", "schema": schema{"type": "string"}}}}
}

// parameter describes a parameter of the query string. What a cursor holds isn't required beside it.
func parameter(d query.Description, p query.Param) schema {
	of := p.Schema(refs)
	described := schema{"name": p.Name, "in": "query", "description": p.Help}
	delete(of, "description")
	if p.Required && !d.Paged {
		described["required"] = true
	}
	switch p.Kind {
	case query.KindNames:
		described["style"], described["explode"] = "form", false
	case query.KindStepNames:
		described["style"], described["explode"] = "form", true
	case query.KindStep:
		of = schema{"type": "string", "minLength": 1}
	case query.KindFilters, query.KindSteps, query.KindExclusions, query.KindActorList:
		described["content"] = jsonContent(of)
		return described
	}
	described["schema"] = of
	return described
}

// bodyOf describes the body of a POST.
func bodyOf(d query.Description) schema {
	properties := schema{}
	var required []string
	for _, p := range d.Params {
		properties[p.Name] = p.Schema(refs)
		if p.Required {
			required = append(required, p.Name)
		}
	}
	body := schema{"type": "object", "properties": properties, "additionalProperties": false}
	switch {
	case d.Paged && len(required) > 0:
		body["anyOf"] = []schema{{"required": required}, {"required": []string{"cursor"}}}
	case len(required) > 0:
		body["required"] = required
	}
	return body
}

package query

import (
	"bytes"
	"fmt"

	"github.com/go-json-experiment/json/jsontext"
)

// jsonNode is JSON of an answer taken apart, for those who take something out of it. The order of its members
// is kept.
type jsonNode struct {
	names  []string    // of an object
	below  []*jsonNode // of an object or a list
	list   bool
	scalar Value
}

// readNode takes a value of an answer apart.
func readNode(v Value) (*jsonNode, error) {
	decoder := jsontext.NewDecoder(bytes.NewReader(v.AppendJSON(nil)))
	n, err := decodeNode(decoder)
	if err != nil {
		return nil, fmt.Errorf("read answer: %w", err)
	}
	return n, nil
}

func decodeNode(d *jsontext.Decoder) (*jsonNode, error) {
	switch d.PeekKind() {
	case '{', '[':
		open, err := d.ReadToken()
		if err != nil {
			return nil, err
		}
		n := &jsonNode{list: open.Kind() == '['}
		for d.PeekKind() != '}' && d.PeekKind() != ']' {
			if !n.list {
				name, err := d.ReadToken()
				if err != nil {
					return nil, err
				}
				n.names = append(n.names, name.String())
			}
			child, err := decodeNode(d)
			if err != nil {
				return nil, err
			}
			n.below = append(n.below, child)
		}
		_, err = d.ReadToken()
		if n.names == nil && !n.list {
			n.names = []string{}
		}
		return n, err
	case 'n':
		_, err := d.ReadToken()
		return &jsonNode{}, err
	case '"':
		text, err := d.ReadToken()
		return &jsonNode{scalar: Text(text.String())}, err
	}
	value, err := d.ReadValue()
	return &jsonNode{scalar: Value{text: string(value), kind: valueJSON}}, err
}

// member returns a member of an object, nil where it has none of that name.
func (n *jsonNode) member(name string) *jsonNode {
	for i, is := range n.names {
		if is == name {
			return n.below[i]
		}
	}
	return nil
}

// number is the whole number of a member, 0 where there is none.
func (n *jsonNode) number(name string) int64 {
	if m := n.member(name); m != nil {
		return numberOf(m.scalar)
	}
	return 0
}

// clear makes members null.
func (n *jsonNode) clear(names ...string) {
	for _, name := range names {
		if m := n.member(name); m != nil {
			*m = jsonNode{}
		}
	}
}

func (n *jsonNode) value() Value {
	switch {
	case n.list:
		values := make([]Value, len(n.below))
		for i, child := range n.below {
			values[i] = child.value()
		}
		return List(values)
	case n.names != nil:
		members := make([]Member, len(n.below))
		for i, child := range n.below {
			members[i] = Member{n.names[i], child.value()}
		}
		return Object(members...)
	}
	return n.scalar
}

// without is an object with a member that is null.
func without(v Value, name string) Value {
	n, err := readNode(v)
	if err != nil {
		return Value{}
	}
	n.clear(name)
	return n.value()
}

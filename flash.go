package signet

// Flashes is a field type for messages that are shown once:
//
//	type Visitor struct {
//		Name    string         `json:"name,omitempty"`
//		Flashes signet.Flashes `json:"flashes,omitempty"`
//	}
type Flashes []Flash

// Flash is one message.
type Flash struct {
	Category string `json:"c,omitempty"` // the application's word, such as "info" or "error"
	Text     string `json:"t"`
}

// Add appends a message for the next page that takes them.
func (f *Flashes) Add(category, text string) { *f = append(*f, Flash{category, text}) }

// Take returns the messages in the order in which they were added, and leaves none. Take
// them before the page begins to be written, or they are shown again.
func (f *Flashes) Take() []Flash {
	taken := *f
	*f = nil
	return taken
}

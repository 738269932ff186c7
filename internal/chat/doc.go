// Package chat turns a conversation into the prompt that a model was trained
// on, with the Jinja template that its file carries (tokenizer.chat_template).
package chat

package tokenizer

import (
	"cmp"
	"fmt"
	"math"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"sync"
	"unicode/utf8"

	"github.com/cortexsdr/cortex/format"
)

// spaceMark stands for a space in the tokens of a SentencePiece vocabulary: U+2581, lower one eighth block. Here it is the other way
// round: such tokens are kept with spaces, and a spaceMark in the text is taken for a space, as it would be there.
const spaceMark = "▁"

// byteRunes is the character that each byte is written as in the tokens of a byte-level vocabulary: itself if
// it prints in Latin-1, else one of those from U+0100 on.
var byteRunes = func() (t [256]rune) {
	next := rune(256)
	for b := range rune(256) {
		if b >= '!' && b <= '~' || b >= '¡' && b <= 'ÿ' && b != 0xAD {
			t[b] = b
		} else {
			t[b] = next
			next++
		}
	}
	return t
}()

// runeBytes is the inverse of byteRunes; -1 where there is none.
var runeBytes = func() (t [256 + 68]int16) {
	for i := range t {
		t[i] = -1
	}
	for b, r := range byteRunes {
		t[r] = int16(b)
	}
	return t
}()

// appendBytes appends the bytes that a token of a byte-level vocabulary stands for, and reports whether all its characters stand
// for bytes; those that do not are appended as they are.
func appendBytes(dst []byte, token string) (_ []byte, ok bool) {
	ok = true
	for i, r := range token {
		switch {
		case int(r) < len(runeBytes) && runeBytes[r] >= 0:
			dst = append(dst, byte(runeBytes[r]))
		case r == utf8.RuneError:
			_, n := utf8.DecodeRuneInString(token[i:])
			dst = append(dst, token[i:i+n]...)
			ok = false
		default:
			dst = utf8.AppendRune(dst, r)
			ok = false
		}
	}
	return dst, ok
}

// initByteLevel builds the symbols and merges of a byte-level vocabulary.
func (t *Tokenizer) initByteLevel(c *Config) (defaults, error) {
	var def defaults
	pre := &preTokenizer{}
	if t.pipeline == nil {
		var err error
		if pre, err = findPre(c); err != nil {
			return def, err
		}
		t.stages = pre.stages
	}
	def.addBOS = pre.addBOS
	if !pre.noBOS {
		// Files without these keys are of the first models with such a vocabulary.
		def.ids = map[Role]int32{BOS: 11, EOS: 11}
	} else {
		def.ids = map[Role]int32{EOS: 11}
	}
	if c.Merges == nil {
		return def, c.errorf(format.ErrMissing, keyMerges, "missing")
	}

	// What each token would have to be in the text; "" if text can not be a token.
	texts := make([]string, len(t.tokens), len(t.tokens)+256)
	var buf []byte
	var single [256]bool
	for i, s := range t.tokens {
		var ok bool
		if buf, ok = appendBytes(buf[:0], s); ok {
			texts[i] = string(buf)
			if len(buf) == 1 {
				single[buf[0]] = true
			}
		}
	}
	for b, ok := range single {
		if !ok {
			texts = append(texts, string([]byte{byte(b)}))
		}
	}
	parts, err := c.parseMerges()
	if err != nil {
		return def, err
	}
	var merges []merge
	var trie *trie
	for {
		if trie, err = t.newTrie(c, texts); err != nil {
			return def, err
		}
		var unknown []string
		if merges, unknown = resolve(trie, parts); len(unknown) == 0 {
			break
		}
		texts = append(texts, unknown...) // symbols that are no token; in a sound vocabulary there are none
	}
	t.bpe = newBPE(trie, texts, merges, func(string) int { return 1 })
	t.bpe.wholeFirst = or(c.IgnoreMerges, pre.ignoreMerges)
	t.symbols = texts[len(t.tokens):]
	return def, nil
}

// mergeParts are the bytes of two symbols that merge.
type mergeParts struct{ both, left, right string }

// parseMerges takes the merges apart. Those with characters that stand for no byte are left out (both is ""): no text has them.
func (c *Config) parseMerges() ([]mergeParts, error) {
	size := 0
	for _, s := range c.Merges {
		size += len(s)
	}
	buf := make([]byte, 0, size)
	type span struct{ from, mid, to int }
	spans := make([]span, len(c.Merges))
	for i, s := range c.Merges {
		n := -1
		if s != "" {
			n = strings.IndexByte(s[1:], ' ')
		}
		left, right := s[:n+1], ""
		if n >= 0 {
			right = s[n+2:]
		}
		if left == "" || right == "" {
			return nil, c.malformed(keyMerges, "merge %d, %q, is not two tokens with a space between", i, s)
		}
		sp := span{from: len(buf)}
		var ok1, ok2 bool
		buf, ok1 = appendBytes(buf, left)
		sp.mid = len(buf)
		buf, ok2 = appendBytes(buf, right)
		if sp.to = len(buf); !ok1 || !ok2 {
			buf = buf[:sp.from]
			sp = span{}
		}
		spans[i] = sp
	}
	all := string(buf)
	parts := make([]mergeParts, len(spans))
	for i, sp := range spans {
		parts[i] = mergeParts{both: all[sp.from:sp.to], left: all[sp.from:sp.mid], right: all[sp.mid:sp.to]}
	}
	return parts, nil
}

// resolve finds the symbols of the merges, and the texts of those that are not there.
func resolve(t *trie, parts []mergeParts) (merges []merge, unknown []string) {
	merges = make([]merge, 0, len(parts))
	missing := map[string]bool{}
	for rank, p := range parts {
		if p.both == "" {
			continue
		}
		m := merge{left: t.find(p.left), right: t.find(p.right), to: t.find(p.both), rank: int32(rank)}
		for _, f := range []struct {
			id   int32
			text string
		}{{m.left, p.left}, {m.right, p.right}, {m.to, p.both}} {
			if f.id < 0 && !missing[f.text] {
				missing[f.text] = true
				unknown = append(unknown, f.text)
			}
		}
		merges = append(merges, m)
	}
	return merges, unknown
}

// initSentencePiece builds the symbols and merges of a SentencePiece vocabulary: any two symbols merge into the token
// that their texts make together.
func (t *Tokenizer) initSentencePiece(c *Config) (defaults, error) {
	def := defaults{ids: map[Role]int32{BOS: 1, EOS: 2, UNK: 0}, addBOS: true, spacePrefix: true}
	t.spaces = true
	if t.pipeline != nil {
		return def, t.initMerges(c)
	}

	texts := make([]string, len(t.tokens))
	const words = (utf8.MaxRune + 1) / 64
	chars, isToken := make([]uint64, words), make([]uint64, words) // sets: characters of the texts, and those that are one
	for i, s := range t.tokens {
		if strings.Contains(s, " ") || !utf8.ValidString(s) {
			continue // text never has such a token: its spaces are spaceMarks
		}
		texts[i] = strings.ReplaceAll(s, spaceMark, " ")
		for _, r := range texts[i] {
			chars[r/64] |= 1 << (r % 64)
			if utf8.RuneLen(r) == len(texts[i]) {
				isToken[r/64] |= 1 << (r % 64)
			}
		}
	}
	for i := range chars {
		if rest := chars[i] &^ isToken[i]; rest != 0 {
			for bit := range 64 {
				if rest&(1<<bit) != 0 {
					texts = append(texts, string(rune(i*64+bit)))
				}
			}
		}
	}
	trie, err := t.newTrie(c, texts)
	if err != nil {
		return def, err
	}

	score := func(i int32) float32 {
		if c.Scores == nil {
			return 0
		}
		return c.Scores[i]
	}
	var order []int32 // tokens that merges make, in the order of their ranks
	for i, s := range texts[:len(t.tokens)] {
		if math.IsNaN(float64(score(int32(i)))) {
			return def, c.malformed(keyScores, "the score of token %d is not a number", i)
		}
		if utf8.RuneCountInString(s) > 1 {
			order = append(order, int32(i))
		}
	}
	slices.SortFunc(order, func(a, b int32) int {
		return cmp.Or(cmp.Compare(score(b), score(a)), cmp.Compare(len(texts[a]), len(texts[b])), cmp.Compare(a, b))
	})
	ranks := make([]int32, len(order))
	for k := 1; k < len(order); k++ {
		ranks[k] = ranks[k-1]
		if score(order[k]) != score(order[k-1]) {
			ranks[k]++
		}
	}
	parts := make([][]merge, runtime.GOMAXPROCS(0))
	inParts(len(parts), len(order), func(part, from, to int) {
		for k, id := range order[from:to] {
			s := texts[id]
			node := uint32(0)
			for i := range len(s) - 1 {
				node = trie.step(node, s[i])
				if left := trie.at(node); left >= 0 {
					if right := trie.find(s[i+1:]); right >= 0 {
						parts[part] = append(parts[part], merge{left: left, right: right, to: id, rank: ranks[from+k]})
					}
				}
			}
		}
	})
	merges := slices.Concat(parts...)
	t.bpe = newBPE(trie, texts, merges, firstChar)
	t.symbols = texts[len(t.tokens):]
	return def, nil
}

// inParts calls do for parts of n things, all at once: part p is from up to to (exclusive).
func inParts(parts, n int, do func(p, from, to int)) {
	var all sync.WaitGroup
	for p := range parts {
		all.Go(func() { do(p, p*n/parts, (p+1)*n/parts) })
	}
	all.Wait()
}

// firstChar returns the length of the character that a text begins with.
func firstChar(s string) int {
	_, n := utf8.DecodeRuneInString(s)
	return n
}

// initMerges builds the symbols and merges of a vocabulary of characters with a list of merges: only the pairs of the list merge, while
// by scores any two do whose union is a token. The texts of the tokens are those of the vocabulary, with spaceMarks.
func (t *Tokenizer) initMerges(c *Config) error {
	texts := make([]string, len(t.tokens))
	for i, s := range t.tokens {
		if utf8.ValidString(s) {
			texts[i] = s
		}
	}
	trie, err := t.newTrie(c, texts)
	if err != nil {
		return err
	}
	parts := make([]mergeParts, len(c.Merges))
	for i, s := range c.Merges {
		left, right, ok := strings.Cut(s, " ")
		if !ok || left == "" || right == "" || strings.Contains(right, " ") {
			return c.malformed(keyMerges, "merge %d, %q, is not two tokens with a space between", i, s)
		}
		parts[i] = mergeParts{both: left + right, left: left, right: right}
	}
	merges, unknown := resolve(trie, parts)
	if len(unknown) > 0 {
		return c.malformed(keyMerges, "there is no token %q", unknown[0])
	}
	t.bpe = newBPE(trie, texts, merges, firstChar)
	return nil
}

// newTrie makes a trie of texts, which have to differ; those that are "" are left out. The first are those of the tokens.
func (t *Tokenizer) newTrie(c *Config, texts []string) (*trie, error) {
	size, longest := len(texts), 0
	for _, s := range texts {
		size += len(s)
		longest = max(longest, len(s))
	}
	if size > maxNode {
		return nil, c.errorf(format.ErrUnsupported, keyTokens, "a vocabulary of %d bytes", size)
	}
	duplicate := func(i, j int) error {
		return c.malformed(keyTokens, "tokens %d and %d are both %q", i, j, t.tokens[i])
	}

	// In order of length, by counting how many there are of each.
	starts := make([]int, longest+2)
	for _, s := range texts {
		starts[len(s)+1]++
	}
	for i := range longest + 1 {
		starts[i+1] += starts[i]
	}
	order := make([]int32, len(texts))
	for i, s := range texts {
		order[starts[len(s)]] = int32(i)
		starts[len(s)]++
	}
	tr := newTrie(len(texts), size)
	others := map[string]int{}
	for _, i := range order {
		if s := texts[i]; s != "" {
			if id := tr.add(s, i); id != i {
				return nil, duplicate(int(id), int(i))
			}
		} else if j, ok := others[t.tokens[i]]; ok {
			return nil, duplicate(j, int(i))
		} else {
			others[t.tokens[i]] = int(i)
		}
	}
	return tr, nil
}

// byteToken returns the byte that a token such as <0x0A> stands for.
func byteToken(s string) (byte, bool) {
	if len(s) != 6 || s[:3] != "<0x" || s[5] != '>' {
		return 0, false
	}
	b, err := strconv.ParseUint(s[3:5], 16, 8)
	return byte(b), err == nil
}

// initByteIDs finds the tokens for the bytes of text that has no other token.
func (t *Tokenizer) initByteIDs() {
	for b := range 256 {
		t.byteIDs[b] = None
		names := []string{string([]byte{byte(b)})}
		if t.spaces {
			names = append(names, fmt.Sprintf("<0x%02X>", b))
		}
		for _, s := range names {
			if id := t.bpe.trie.find(s); id >= 0 && int(id) < len(t.tokens) {
				t.byteIDs[b] = id
			}
		}
	}
}

// initPieces lays out what the tokens stand for.
func (t *Tokenizer) initPieces() {
	t.pieceEnds = make([]uint32, len(t.tokens))
	for i, s := range t.tokens {
		b, isByte := byteToken(s)
		switch typ := t.types[i]; {
		case typ == Byte && isByte:
			t.pieces = append(t.pieces, b)
		case typ == Control || typ == Unknown || typ == UserDefined:
			t.pieces = append(t.pieces, s...)
		case t.spaces:
			t.pieces = append(t.pieces, strings.ReplaceAll(s, spaceMark, " ")...)
		default:
			t.pieces, _ = appendBytes(t.pieces, s)
		}
		t.pieceEnds[i] = uint32(len(t.pieces))
	}
}

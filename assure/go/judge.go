// Judge says of each case on standard input, one JSON object a line, whether Go's x/mod/sumdb finds it true.
// It shares nothing with esaa but the formats.
package main

import (
	"bufio"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"os"

	"golang.org/x/mod/sumdb/note"
	"golang.org/x/mod/sumdb/tlog"
)

type testCase struct {
	Kind    string
	Entries []string
	Leaf    string
	Index   int64
	Size    int64
	First   int64
	Old     string
	Root    string
	Proof   []string
	Note    string
	Key     string
}

func main() {
	in := bufio.NewReaderSize(os.Stdin, 1<<20)
	out := bufio.NewWriter(os.Stdout)
	defer out.Flush()
	decoder := json.NewDecoder(in)
	for decoder.More() {
		var one testCase
		if err := decoder.Decode(&one); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		fmt.Fprintln(out, judge(one))
	}
}

func judge(one testCase) (answer bool) {
	// CheckRecord and CheckTree panic on some numbers that cannot be, such as a negative size: that is a no.
	defer func() {
		if recover() != nil {
			answer = false
		}
	}()
	switch one.Kind {
	case "root":
		return rootOf(one.Entries) == hash(one.Root)
	case "inclusion":
		return tlog.CheckRecord(tlog.RecordProof(hashes(one.Proof)), one.Size, hash(one.Root), one.Index, hash(one.Leaf)) == nil
	case "consistency":
		return tlog.CheckTree(tlog.TreeProof(hashes(one.Proof)), one.Size, hash(one.Root), one.First, hash(one.Old)) == nil
	case "note":
		verifier, err := note.NewVerifier(one.Key)
		if err != nil {
			return false
		}
		text, err := hex.DecodeString(one.Note)
		if err != nil {
			return false
		}
		_, err = note.Open(text, note.VerifierList(verifier))
		return err == nil
	}
	panic("unknown kind " + one.Kind)
}

func rootOf(entries []string) tlog.Hash {
	if len(entries) == 0 {
		return tlog.Hash(sha256.Sum256(nil)) // this version of x/mod has another root for the empty tree
	}
	var stored []tlog.Hash
	reader := tlog.HashReaderFunc(func(indexes []int64) ([]tlog.Hash, error) {
		found := make([]tlog.Hash, len(indexes))
		for at, index := range indexes {
			found[at] = stored[index]
		}
		return found, nil
	})
	for number, text := range entries {
		entry, err := hex.DecodeString(text)
		if err != nil {
			panic(err)
		}
		more, err := tlog.StoredHashes(int64(number), entry, reader)
		if err != nil {
			panic(err)
		}
		stored = append(stored, more...)
	}
	root, err := tlog.TreeHash(int64(len(entries)), reader)
	if err != nil {
		panic(err)
	}
	return root
}

func hash(text string) tlog.Hash {
	data, err := hex.DecodeString(text)
	if err != nil || len(data) != 32 {
		panic("no hash")
	}
	var found tlog.Hash
	copy(found[:], data)
	return found
}

func hashes(texts []string) []tlog.Hash {
	found := make([]tlog.Hash, len(texts))
	for at, text := range texts {
		found[at] = hash(text)
	}
	return found
}

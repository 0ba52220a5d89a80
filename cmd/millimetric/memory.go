package main

import (
	"bytes"
	"fmt"
	"io/fs"
	"math"
	"path"
	"strconv"
	"strings"
)

const (
	// memoryLeast is what the server needs: the store takes 128 MiB at least, and questions some more.
	memoryLeast = 256 << 20
	// memoryShare is the part of the machine that is taken where nothing is said: beside the server
	// there are the system's own file cache, which serves cold reads, and whatever else runs there.
	memoryShare = 4
	// storePercent is the store's part of the memory, storeLeast what it takes in any case, in bytes.
	storePercent = 40
	storeLeast   = 128 << 20
	// memoParts of restParts of the rest are for what questions leave to later ones: where visits begin and
	// what came after takes some nine bytes for each event, so ten million events need less than 512 MiB of memory,
	// and fifty million 1.5 GiB. What is left is for questions under way.
	restParts = 3
	memoParts = 2
)

// shares is what the memory is divided into, in bytes. Requests and keys are few beside them.
type shares struct{ all, store, memo, questions int64 }

func sharesOf(memory int64) shares {
	s := shares{all: memory, store: max(memory/100*storePercent, storeLeast)}
	s.memo = (memory - s.store) / restParts * memoParts
	s.questions = memory - s.store - s.memo
	return s
}

// memoryBytes reads the setting of memory, for which the machine decides where it is "".
func memoryBytes(text string) (int64, error) {
	if text == "" {
		return max(memoryLeast, machineMemory()/memoryShare), nil
	}
	n, err := parseBytes(text)
	if err != nil {
		return 0, err
	}
	if n < memoryLeast {
		return 0, fmt.Errorf("%s is too little: the server needs %d MiB", text, memoryLeast>>20)
	}
	return n, nil
}

// linuxMemory returns the memory that Linux lets the process have: the machine's, or less where it is in
// a group of processes that may only have less. root is the file system; 0 means that it doesn't say.
func linuxMemory(root fs.FS) int64 {
	least := int64(math.MaxInt64)
	if n := memTotal(root); n > 0 {
		least = n
	}
	for _, name := range limitFiles(root) {
		text, err := fs.ReadFile(root, name)
		if err != nil {
			continue
		}
		// "max", and numbers about as great as there are, say that there is no limit.
		if n, err := strconv.ParseInt(string(bytes.TrimSpace(text)), 10, 64); err == nil && n > 0 {
			least = min(least, n)
		}
	}
	if least == math.MaxInt64 {
		return 0
	}
	return least
}

// memTotal reads "MemTotal: 24684012 kB".
func memTotal(root fs.FS) int64 {
	text, err := fs.ReadFile(root, "proc/meminfo")
	if err != nil {
		return 0
	}
	for line := range strings.Lines(string(text)) {
		fields := strings.Fields(line)
		if len(fields) == 3 && fields[0] == "MemTotal:" && fields[2] == "kB" {
			n, _ := strconv.ParseInt(fields[1], 10, 64)
			return n << 10
		}
	}
	return 0
}

// limitFiles names the files with limits of the process's groups and of all groups around them. In a
// container, the path of the group is often the host's and not to be found; the group then stands at
// the root, which is why that is looked at in any case.
func limitFiles(root fs.FS) []string {
	text, err := fs.ReadFile(root, "proc/self/cgroup")
	if err != nil {
		return nil
	}
	var files []string
	for line := range strings.Lines(string(text)) {
		parts := strings.SplitN(strings.TrimSpace(line), ":", 3) // number:controllers:path
		if len(parts) != 3 {
			continue
		}
		folder, file := "sys/fs/cgroup", "memory.max"
		switch controllers := "," + parts[1] + ","; {
		case strings.Contains(controllers, ",memory,"):
			folder, file = "sys/fs/cgroup/memory", "memory.limit_in_bytes"
		case parts[1] != "":
			continue
		}
		for group := path.Clean("/" + parts[2]); ; group = path.Dir(group) {
			files = append(files, path.Join(folder, group, file))
			if group == "/" {
				break
			}
		}
	}
	return files
}

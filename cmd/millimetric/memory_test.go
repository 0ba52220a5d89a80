package main

import (
	"testing"
	"testing/fstest"
)

func TestMemoryIsTheMachinesOrItsGroups(t *testing.T) {
	const meminfo = "MemFree:        100 kB\nMemTotal:       8388608 kB\nHugePages_Total:       0\n"
	for _, c := range []struct {
		name  string
		files map[string]string
		want  int64
	}{
		{"nothing is said", nil, 0},
		{"no groups", map[string]string{"proc/meminfo": meminfo}, 8 << 30},
		{"a group without a limit", map[string]string{"proc/meminfo": meminfo, "proc/self/cgroup": "0::/app\n",
			"sys/fs/cgroup/app/memory.max": "max\n"}, 8 << 30},
		{"a group with one", map[string]string{"proc/meminfo": meminfo, "proc/self/cgroup": "0::/app/one\n",
			"sys/fs/cgroup/app/one/memory.max": "2147483648\n"}, 2 << 30},
		{"a group inside of a smaller one", map[string]string{"proc/meminfo": meminfo, "proc/self/cgroup": "0::/app/one\n",
			"sys/fs/cgroup/app/one/memory.max": "4294967296\n", "sys/fs/cgroup/app/memory.max": "1073741824\n"}, 1 << 30},
		{"a container", map[string]string{"proc/meminfo": meminfo, "proc/self/cgroup": "0::/../../docker/4711\n",
			"sys/fs/cgroup/memory.max": "1073741824\n"}, 1 << 30},
		{"groups of the first kind", map[string]string{"proc/meminfo": meminfo, "proc/self/cgroup": "5:devices:/x\n4:cpu,memory:/app\n0::/\n",
			"sys/fs/cgroup/memory/app/memory.limit_in_bytes": "536870912\n", "sys/fs/cgroup/devices/x/memory.max": "1\n"}, 512 << 20},
		{"one of them without a limit", map[string]string{"proc/meminfo": meminfo, "proc/self/cgroup": "4:memory:/\n",
			"sys/fs/cgroup/memory/memory.limit_in_bytes": "9223372036854771712\n"}, 8 << 30},
		{"nonsense", map[string]string{"proc/meminfo": "MemTotal: lots kB\n", "proc/self/cgroup": "x\n"}, 0},
	} {
		disk := fstest.MapFS{}
		for name, text := range c.files {
			disk[name] = &fstest.MapFile{Data: []byte(text)}
		}
		if got := linuxMemory(disk); got != c.want {
			t.Errorf("%s: %d, want %d", c.name, got, c.want)
		}
	}
}

func TestTheSettingOfMemory(t *testing.T) {
	if got, err := memoryBytes("2GiB"); got != 2<<30 || err != nil {
		t.Errorf("2GiB: %d, %v", got, err)
	}
	if got, err := memoryBytes(""); got < memoryLeast || got > max(memoryLeast, machineMemory()/2) || err != nil {
		t.Errorf("by itself: %d, %v", got, err)
	}
	for _, text := range []string{"0", "100MB", "much"} {
		if got, err := memoryBytes(text); err == nil {
			t.Errorf("%s is %d", text, got)
		}
	}
}

func TestTheSharesOfTheMemoryAreNoMoreThanAllOfIt(t *testing.T) {
	for _, c := range []struct{ all, store int64 }{{memoryLeast, 128 << 20}, {512 << 20, 512 << 20 / 100 * 40}, {6 << 30, 6 << 30 / 100 * 40}} {
		s := sharesOf(c.all)
		if s.all != c.all || s.store != c.store || s.store+s.memo+s.questions != c.all || s.questions < s.memo/2 || s.questions > s.memo/2+restParts {
			t.Errorf("of %d: %+v", c.all, s)
		}
	}
}

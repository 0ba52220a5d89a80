package bench

import (
	"flag"
	"fmt"
	"math/rand/v2"
	"os"
	"strings"
	"testing"
	"time"
)

var rewrite = flag.Bool("rewrite", false, "rewrite the expected files from what the code makes")

// The sample log is made up. Its visitors have addresses that are reserved for documentation, or,
// so that countries show, those of public name servers: no line is about a person.
var (
	sampleReserved = []string{"192.0.2.%d", "198.51.100.%d", "203.0.113.%d", "2001:db8::%x"}
	samplePublic   = []string{
		"8.8.8.8", "9.9.9.9", "77.88.8.8", "114.114.114.114", "168.126.63.1", "200.160.0.8", "194.150.168.168",
		"129.250.35.250", "2001:4860:4860::8888", "2606:4700:4700::1111", "2001:67c:28a4::1",
	}
	samplePeople = []string{
		"Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/141.0.0.0 Safari/537.36",
		"Mozilla/5.0 (Macintosh; Intel Mac OS X 10_15_7) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/18.5 Safari/605.1.15",
		"Mozilla/5.0 (iPhone; CPU iPhone OS 18_5 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/18.5 Mobile/15E148 Safari/604.1",
		"Mozilla/5.0 (Linux; Android 15; Pixel 9) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/141.0.0.0 Mobile Safari/537.36",
		"Mozilla/5.0 (X11; Linux x86_64; rv:144.0) Gecko/20100101 Firefox/144.0",
		"Mozilla/5.0 (iPad; CPU OS 18_5 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/18.5 Mobile/15E148 Safari/604.1",
		"Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/141.0.0.0 Safari/537.36 Edg/141.0.0.0",
	}
	sampleBots = []string{
		"Mozilla/5.0 (compatible; Googlebot/2.1; +http://www.google.com/bot.html)",
		"Mozilla/5.0 (compatible; bingbot/2.0; +http://www.bing.com/bingbot.htm)",
		"Mozilla/5.0 AppleWebKit/537.36 (KHTML, like Gecko; compatible; GPTBot/1.2; +https://openai.com/gptbot)",
		"curl/8.14.1", "-",
	}
	sampleReferrers = []string{
		"-", "-", "-", "https://www.google.com/", "https://www.google.com/", "https://duckduckgo.com/", "https://www.bing.com/search?q=shop",
		"https://www.facebook.com/", "https://t.co/abc", "https://www.reddit.com/r/shops/", "https://chatgpt.com/", "https://www.perplexity.ai/",
		"https://mail.google.com/", "https://blog.example.org/best-shops",
	}
	sampleLandings = []string{
		"/", "/", "/", "/products/", "/products/lamp", "/blog/how-to-choose-a-lamp", "/about.html", "/index.php?page=news",
		"/?utm_source=newsletter&utm_medium=email&utm_campaign=may", "/products/lamp?gclid=Cj0abc", "/?utm_source=facebook&utm_medium=cpc&utm_campaign=spring&fbclid=x1",
	}
	samplePages  = []string{"/products/", "/products/lamp", "/products/chair", "/products/t%C3%A9l%C3%A9", "/cart", "/checkout", "/about.html", "/blog/how-to-choose-a-lamp"}
	sampleAssets = []string{"/assets/site.css", "/assets/app.js?v=3", "/images/lamp.jpg", "/favicon.ico", "/robots.txt", "/feed.xml"}
)

const (
	sampleSeed   = 1
	sampleLines  = 400
	sampleSite   = "https://shop.example"
	sampleLayout = "02/Jan/2006:15:04:05 -0700"
)

// sampleLog makes the sample: visits of a few pages with their assets, over five days, some bots,
// some failures, and a last line that is cut off.
func sampleLog() string {
	r := rand.New(rand.NewPCG(sampleSeed, sampleSeed))
	pick := func(list []string) string { return list[r.IntN(len(list))] }
	zone := time.FixedZone("", 2*3600)
	at := time.Date(2026, 5, 4, 7, 0, 0, 0, zone)
	var lines []string
	log := func(host, request string, status int, referrer, agent string) {
		size := "-"
		if status == 200 {
			size = fmt.Sprint(500 + r.IntN(40000))
		}
		lines = append(lines, fmt.Sprintf(`%s - - [%s] "%s" %d %s "%s" "%s"`, host, at.Format(sampleLayout), request, status, size, referrer, agent))
		at = at.Add(time.Duration(r.IntN(40)) * time.Second)
	}
	for len(lines) < sampleLines {
		host := pick(samplePublic)
		if form := pick(sampleReserved); r.IntN(3) > 0 {
			host = fmt.Sprintf(form, 1+r.IntN(40))
		}
		switch r.IntN(8) {
		case 0:
			log(host, "GET "+pick(samplePages)+" HTTP/1.1", 200, "-", pick(sampleBots))
		case 1:
			log(host, "GET /wp-login.php HTTP/1.1", 404, "-", pick(sampleBots))
			log(host, `GET /search?q=\"lamp\" HTTP/1.1`, 200, "-", `Mozilla/5.0 (X11; Linux x86_64) \"odd\" agent`)
			log(host, "POST /cart HTTP/1.1", 302, sampleSite+"/cart", pick(samplePeople))
		default:
			sampleVisit(r, log, host)
		}
		at = at.Add(time.Duration(r.IntN(150)) * time.Minute)
	}
	text := strings.Join(lines, "\n") + "\n"
	return text + lines[len(lines)-1][:60]
}

func sampleVisit(r *rand.Rand, log func(host, request string, status int, referrer, agent string), host string) {
	agent, page := samplePeople[r.IntN(len(samplePeople))], sampleLandings[r.IntN(len(sampleLandings))]
	log(host, "GET "+page+" HTTP/2.0", 200, sampleReferrers[r.IntN(len(sampleReferrers))], agent)
	for range r.IntN(3) {
		log(host, "GET "+sampleAssets[r.IntN(len(sampleAssets))]+" HTTP/2.0", []int{200, 304}[r.IntN(2)], sampleSite+page, agent)
	}
	for range r.IntN(4) {
		next := samplePages[r.IntN(len(samplePages))]
		log(host, "GET "+next+" HTTP/2.0", []int{200, 200, 200, 304, 500}[r.IntN(5)], sampleSite+page, agent)
		page = next
	}
}

func TestSampleLogIsWhatItsMakerMakes(t *testing.T) {
	const file = "testdata/sample.log"
	want := sampleLog()
	if *rewrite {
		if err := os.WriteFile(file, []byte(want), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	got, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if string(got) != want {
		t.Errorf("%s differs from what seed %d makes: run with -rewrite, or undo the change", file, sampleSeed)
	}
}

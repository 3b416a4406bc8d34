// Reads the keys of all users into a CSV file, as a program with the vendor's Go libraries does.
//
//	client URL REQUESTS_IN_FLIGHT FILE.csv
package main

import (
	"crypto/md5"
	"crypto/rand"
	"encoding/csv"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"strconv"
	"strings"
	"sync"
	"time"
)

type page[T any] struct {
	Results    []T `json:"results"`
	TotalCount int `json:"totalCount"`
}

type item struct {
	ID       string `json:"id"`
	Username string `json:"username"`
}

type key struct {
	ID          string     `json:"id"`
	Description string     `json:"description"`
	Enabled     bool       `json:"enabled"`
	CreatedAt   *time.Time `json:"createdAt"`
	LastUsed    *time.Time `json:"lastUsed"`
	UsedCount   *int64     `json:"usedCount"`
	Key         string     `json:"key"`
}

// digest sends each request twice, first without credentials and then with the answer to the challenge, and keeps no
// nonce: the algorithm of github.com/mongodb-forks/digest, which the vendor's libraries and command-line tools use.
type digest struct {
	user, password string
	transport      http.RoundTripper
}

func hash(text string) string {
	sum := md5.New()
	io.WriteString(sum, text)
	return fmt.Sprintf("%x", sum.Sum(nil))
}

func (d *digest) RoundTrip(request *http.Request) (*http.Response, error) {
	second := new(http.Request)
	*second = *request
	second.Header = request.Header.Clone()
	if second.Header == nil {
		second.Header = http.Header{}
	}
	first, err := d.transport.RoundTrip(request)
	if err != nil || first.StatusCode != http.StatusUnauthorized {
		return first, err
	}
	const most = 2 << 10
	if first.ContentLength <= most {
		io.CopyN(io.Discard, first.Body, most)
	}
	first.Body.Close()
	authorization, err := d.authorization(request, first.Header.Get("WWW-Authenticate"))
	if err != nil {
		return nil, err
	}
	second.Header.Set("Authorization", authorization)
	return d.transport.RoundTrip(second)
}

func (d *digest) authorization(request *http.Request, challenge string) (string, error) {
	if !strings.HasPrefix(challenge, "Digest ") {
		return "", errors.New("no digest challenge")
	}
	fields := map[string]string{}
	for _, part := range strings.Split(strings.TrimPrefix(challenge, "Digest "), ", ") {
		name, value, _ := strings.Cut(part, "=")
		fields[name] = strings.Trim(value, `"`)
	}
	if fields["algorithm"] != "MD5" || fields["qop"] != "auth" {
		return "", errors.New("a challenge of another kind: " + challenge)
	}
	random := make([]byte, 8)
	if _, err := io.ReadFull(rand.Reader, random); err != nil {
		return "", err
	}
	cnonce, uri := fmt.Sprintf("%x", random), request.URL.RequestURI()
	ha1 := hash(fmt.Sprintf("%s:%s:%s", d.user, fields["realm"], d.password))
	ha2 := hash(fmt.Sprintf("%s:%s", request.Method, uri))
	count := fmt.Sprintf("%08x", 1)
	response := hash(fmt.Sprintf("%s:%s", ha1, fmt.Sprintf("%s:%s:%s:auth:%s", fields["nonce"], count, cnonce, ha2)))
	return "Digest " + strings.Join([]string{
		fmt.Sprintf("username=%q", d.user),
		fmt.Sprintf("realm=%q", fields["realm"]),
		fmt.Sprintf("nonce=%q", fields["nonce"]),
		fmt.Sprintf("uri=%q", uri),
		fmt.Sprintf("response=%q", response),
		fmt.Sprintf("algorithm=%q", fields["algorithm"]),
		"qop=auth",
		"nc=" + count,
		fmt.Sprintf("cnonce=%q", cnonce),
	}, ", "), nil
}

// all reads every page of a list.
func all[T any](client *http.Client, url string) []T {
	var items []T
	for number := 1; ; number++ {
		response, err := client.Get(fmt.Sprintf("%s?pageNum=%d&itemsPerPage=500", url, number))
		check(err)
		if response.StatusCode != http.StatusOK {
			check(fmt.Errorf("%s: %s", url, response.Status))
		}
		var read page[T]
		check(json.NewDecoder(response.Body).Decode(&read))
		response.Body.Close()
		items = append(items, read.Results...)
		if len(items) >= read.TotalCount || len(read.Results) == 0 {
			return items
		}
	}
}

func check(err error) {
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

func main() {
	url, file := os.Args[1], os.Args[3]
	inFlight, err := strconv.Atoi(os.Args[2])
	check(err)
	transport := http.DefaultTransport.(*http.Transport).Clone()
	// The default of 2 would open a connection for most requests.
	transport.MaxIdleConnsPerHost = inFlight
	client := &http.Client{Transport: &digest{
		os.Getenv("KEYSUNSET_PUBLIC_KEY"), os.Getenv("KEYSUNSET_PRIVATE_KEY"), transport,
	}}
	users := map[string]string{}
	for _, org := range all[item](client, url+"/orgs") {
		for _, user := range all[item](client, url+"/orgs/"+org.ID+"/users") {
			users[user.ID] = user.Username
		}
	}

	out, err := os.Create(file)
	check(err)
	rows := csv.NewWriter(out)
	var writing sync.Mutex
	next := make(chan string)
	var workers sync.WaitGroup
	for i := 0; i < inFlight; i++ {
		workers.Add(1)
		go func() {
			defer workers.Done()
			for id := range next {
				keys := all[key](client, url+"/users/"+id+"/keys")
				writing.Lock()
				for _, key := range keys {
					check(rows.Write(row(id, users[id], key)))
				}
				writing.Unlock()
			}
		}()
	}
	for id := range users {
		next <- id
	}
	close(next)
	workers.Wait()
	rows.Flush()
	check(rows.Error())
	check(out.Close())
}

func row(id, username string, key key) []string {
	cutoff := time.Date(2021, 3, 1, 0, 0, 0, 0, time.UTC)
	verdict, used, created, count := "unknown", "", "", ""
	if key.CreatedAt != nil {
		created = key.CreatedAt.Format(time.RFC3339)
	}
	if key.UsedCount != nil {
		count = strconv.FormatInt(*key.UsedCount, 10)
		if *key.UsedCount == 0 {
			verdict = "never-used"
		}
	}
	if key.LastUsed != nil {
		used = key.LastUsed.Format(time.RFC3339)
		verdict = "not-used-since-cutoff"
		if !key.LastUsed.Before(cutoff) {
			verdict = "used-after-cutoff"
		}
	}
	return []string{id, username, key.ID, key.Key, key.Description, strconv.FormatBool(key.Enabled), created, used, count, verdict}
}

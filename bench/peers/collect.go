// `go`: net/http and pgx as a user of a compiled stack writes them. A pool, one prepared INSERT a request, and the keys,
// the places and the parsed user agents in memory. It stores the same row in the same table, and answers after the
// commit. Built by bench/compiled.py from Debian's packages.
package main

import (
	"context"
	"crypto/rand"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"log"
	"net"
	"net/http"
	"net/url"
	"os"
	"regexp"
	"strings"
	"sync"
	"time"

	"github.com/jackc/pgx/v4/pgxpool"
	"github.com/oschwald/maxminddb-golang"
)

const keySeconds = 4 * time.Second

var columns = strings.Fields(`id received_at timestamp partner_id api_key_id channel is_test event_name tag_id event_id
	page_url referrer user_agent session_id client_id click_id impression_id bid_id attribution_type consent params extra
	ip_address geo_country geo_region geo_city geo_lat geo_lon ua_browser ua_browser_version ua_os ua_os_version ua_device
	ua_device_brand ua_device_model ua_is_bot`)

type event struct {
	EventName       string          `json:"event_name"`
	TagID           *string         `json:"tag_id"`
	EventID         *string         `json:"event_id"`
	Timestamp       *float64        `json:"timestamp"`
	PageURL         *string         `json:"page_url"`
	Referrer        *string         `json:"referrer"`
	UserAgent       *string         `json:"user_agent"`
	SessionID       *string         `json:"session_id"`
	ClientID        *string         `json:"client_id"`
	ClickID         *string         `json:"click_id"`
	ImpressionID    *string         `json:"impression_id"`
	BidID           *string         `json:"bid_id"`
	AttributionType *string         `json:"attribution_type"`
	Consent         json.RawMessage `json:"consent"`
	Params          json.RawMessage `json:"params"`
}

type key struct {
	id, partner int64
	isTest      bool
	readAt      time.Time
}

type place struct {
	Country struct {
		ISOCode *string `maxminddb:"iso_code"`
	} `maxminddb:"country"`
	Subdivisions []struct {
		Names map[string]string `maxminddb:"names"`
	} `maxminddb:"subdivisions"`
	City struct {
		Names map[string]string `maxminddb:"names"`
	} `maxminddb:"city"`
	Location struct {
		Latitude  *float64 `maxminddb:"latitude"`
		Longitude *float64 `maxminddb:"longitude"`
	} `maxminddb:"location"`
}

type agent struct {
	browser, version, system *string
}

var (
	pool      *pgxpool.Pool
	insert    string
	cities    *maxminddb.Reader
	keys      sync.Map
	places    sync.Map
	agents    sync.Map
	browserRE = regexp.MustCompile(`(Chrome|Firefox|Version)/([0-9.]+)`)
	systemRE  = regexp.MustCompile(`Windows|iPhone|Linux|Android|Macintosh`)
)

func authenticate(header string) (*key, error) {
	scheme, raw, _ := strings.Cut(header, " ")
	sum := sha256.Sum256([]byte(raw))
	digest := hex.EncodeToString(sum[:])
	if known, ok := keys.Load(digest); ok && time.Since(known.(*key).readAt) < keySeconds {
		return known.(*key), nil
	}
	found := &key{readAt: time.Now()}
	row := pool.QueryRow(context.Background(),
		"SELECT id, partner_id, is_test FROM keys_apikey WHERE digest = $1 AND revoked_at IS NULL", digest)
	if err := row.Scan(&found.id, &found.partner, &found.isTest); err != nil || !strings.EqualFold(scheme, "bearer") {
		return nil, fmt.Errorf("no such key")
	}
	keys.Store(digest, found)
	return found, nil
}

func findPlace(address string) *place {
	if known, ok := places.Load(address); ok {
		return known.(*place)
	}
	found := &place{}
	if err := cities.Lookup(net.ParseIP(address), found); err != nil {
		log.Print(err)
	}
	places.Store(address, found)
	return found
}

func parseAgent(text *string) *agent {
	if text == nil {
		return &agent{}
	}
	if known, ok := agents.Load(*text); ok {
		return known.(*agent)
	}
	found := &agent{}
	if match := browserRE.FindStringSubmatch(*text); match != nil {
		found.browser, found.version = &match[1], &match[2]
	}
	if match := systemRE.FindString(*text); match != "" {
		found.system = &match
	}
	agents.Store(*text, found)
	return found
}

func uuid7(now time.Time) string {
	var id [16]byte
	rand.Read(id[:])
	milliseconds := now.UnixMilli()
	for n := 0; n < 6; n++ {
		id[n] = byte(milliseconds >> (40 - 8*n))
	}
	id[6], id[8] = id[6]&0x0f|0x70, id[8]&0x3f|0x80
	text := hex.EncodeToString(id[:])
	return text[:8] + "-" + text[8:12] + "-" + text[12:16] + "-" + text[16:20] + "-" + text[20:]
}

func name(names map[string]string) *string {
	if text, ok := names["en"]; ok {
		return &text
	}
	return nil
}

func collect(answer http.ResponseWriter, request *http.Request) {
	who, err := authenticate(request.Header.Get("Authorization"))
	if err != nil {
		http.Error(answer, "invalid key", http.StatusUnauthorized)
		return
	}
	var sent event
	body := http.MaxBytesReader(answer, request.Body, 1<<20)
	if err := json.NewDecoder(body).Decode(&sent); err != nil || sent.EventName == "" || len(sent.EventName) > 255 {
		http.Error(answer, "invalid event", http.StatusBadRequest)
		return
	}
	now := time.Now().UTC()
	at := now
	if sent.Timestamp != nil {
		at = time.UnixMicro(int64(*sent.Timestamp * 1e6)).UTC()
	}
	tag := "site:unknown"
	if sent.TagID != nil {
		tag = *sent.TagID
	} else if sent.PageURL != nil {
		if page, err := url.Parse(*sent.PageURL); err == nil {
			tag = "site:" + page.Hostname()
		}
	}
	address, _, _ := net.SplitHostPort(request.RemoteAddr)
	where, with, id := findPlace(address), parseAgent(sent.UserAgent), uuid7(now)
	var region, consent *string
	if count := len(where.Subdivisions); count > 0 {
		region = name(where.Subdivisions[count-1].Names)
	}
	if sent.Consent != nil {
		text := string(sent.Consent)
		consent = &text
	}
	params := "{}"
	if sent.Params != nil {
		params = string(sent.Params)
	}
	done, err := pool.Exec(request.Context(), insert,
		id, now, at, who.partner, who.id, "server", who.isTest, sent.EventName, tag, sent.EventID, sent.PageURL,
		sent.Referrer, sent.UserAgent, sent.SessionID, sent.ClientID, sent.ClickID, sent.ImpressionID, sent.BidID,
		sent.AttributionType, consent, params, "{}", address, where.Country.ISOCode, region, name(where.City.Names),
		where.Location.Latitude, where.Location.Longitude, with.browser, with.version, with.system, nil, nil, nil, nil,
		false)
	if err != nil {
		log.Print(err)
		http.Error(answer, "unavailable", http.StatusServiceUnavailable)
		return
	}
	outcome := "duplicate"
	if done.RowsAffected() == 1 {
		outcome = "stored"
	}
	answer.Header().Set("X-Event-Id", id)
	answer.Header().Set("X-Event-Outcome", outcome)
	answer.WriteHeader(http.StatusNoContent)
}

func main() {
	numbers := make([]string, len(columns))
	for n := range columns {
		numbers[n] = fmt.Sprintf("$%d", n+1)
	}
	insert = fmt.Sprintf("INSERT INTO collect_event (%s) VALUES (%s) ON CONFLICT DO NOTHING",
		strings.Join(columns, ", "), strings.Join(numbers, ", "))
	config, err := pgxpool.ParseConfig(os.Getenv("DATABASE_URL"))
	if err != nil {
		log.Fatal(err)
	}
	config.MinConns, config.MaxConns = 8, 8
	if pool, err = pgxpool.ConnectConfig(context.Background(), config); err != nil {
		log.Fatal(err)
	}
	if cities, err = maxminddb.Open(os.Getenv("GEOIP_PATH")); err != nil {
		log.Fatal(err)
	}
	http.HandleFunc("/api/collect", collect)
	log.Fatal(http.ListenAndServe("127.0.0.1:"+os.Getenv("PORT"), nil))
}

// A mirror of one topic with franz-go, as a Go engineer would write it: every record is produced to
// the partition that it was read from, idempotently, with five requests in flight (franz-go's own default).
// Usage: franz SOURCE TARGET TOPIC TARGET_TOPIC LINGER
package main

import (
	"context"
	"log"
	"os"
	"os/signal"
	"strings"
	"syscall"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"
)

func main() {
	source, target, topic, mirror := os.Args[1], os.Args[2], os.Args[3], os.Args[4]
	linger, err := time.ParseDuration(os.Args[5])
	check(err)
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	consumer, err := kgo.NewClient(
		kgo.SeedBrokers(strings.Split(source, ",")...),
		kgo.ConsumeTopics(topic),
		kgo.ConsumeResetOffset(kgo.NewOffset().AtStart()),
		kgo.FetchIsolationLevel(kgo.ReadCommitted()),
		kgo.FetchMaxPartitionBytes(1<<20),
	)
	check(err)
	defer consumer.Close()
	producer, err := kgo.NewClient(
		kgo.SeedBrokers(strings.Split(target, ",")...),
		kgo.RecordPartitioner(kgo.ManualPartitioner()),
		kgo.ProducerBatchCompression(kgo.Lz4Compression()),
		kgo.ProducerBatchMaxBytes(1_000_000),
		kgo.MaxBufferedRecords(50_000),
		kgo.ProducerLinger(linger),
	)
	check(err)
	defer producer.Close()
	for ctx.Err() == nil {
		fetches := consumer.PollFetches(ctx)
		for _, failure := range fetches.Errors() {
			if ctx.Err() == nil {
				log.Fatalf("fetching %s/%d: %v", failure.Topic, failure.Partition, failure.Err)
			}
		}
		fetches.EachRecord(func(record *kgo.Record) {
			producer.Produce(ctx, &kgo.Record{
				Topic: mirror, Partition: record.Partition, Timestamp: record.Timestamp,
				Key: record.Key, Value: record.Value, Headers: record.Headers,
			}, func(_ *kgo.Record, err error) {
				if err != nil && ctx.Err() == nil {
					log.Fatalf("producing to %s: %v", mirror, err)
				}
			})
		})
	}
	// What is committed nowhere is read again by the next start: a mirror for benchmarks only.
	check(producer.Flush(context.Background()))
}

func check(err error) {
	if err != nil {
		log.Fatal(err)
	}
}

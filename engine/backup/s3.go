package backup

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"

	"github.com/minio/minio-go/v7"
	"github.com/minio/minio-go/v7/pkg/credentials"

	"millimetric/index/event"
)

// S3Options say where a bucket is. Nothing is made: the bucket must be there.
type S3Options struct {
	Endpoint string // such as https://s3.eu-central-1.amazonaws.com
	Region   string
	Bucket   string
	Prefix   string // before the names of all objects
	// AccessKey and SecretKey are the credentials. They need to read, write and list; where they may not
	// delete, what is old stays, and is to be expired by a rule of the bucket.
	AccessKey, SecretKey string
	Transport            http.RoundTripper // nil for the usual one
}

// S3 is a target in a bucket of a service that speaks S3's protocol.
type S3 struct {
	client *minio.Client
	opt    S3Options
}

const (
	// s3PartBytes is how an object of unknown length is cut, and so what each upload needs of memory. With at
	// most 10,000 parts, it bounds an object at 160 GB.
	s3PartBytes = 16 << 20
	// s3Tries is how often the client tries a request by itself. Whoever calls tries again, too, but later.
	s3Tries = 3
)

// NewS3 returns the target in a bucket. It asks nothing of the service.
func NewS3(opt S3Options) (*S3, error) {
	if opt.Endpoint == "" {
		opt.Endpoint = "https://s3.amazonaws.com"
	}
	place, err := url.Parse(opt.Endpoint)
	if err != nil || place.Host == "" || place.Scheme != "http" && place.Scheme != "https" {
		return nil, fmt.Errorf("%w: the endpoint of a backup is one such as https://s3.example.com, not %q", event.ErrInput, opt.Endpoint)
	}
	if opt.Bucket == "" || opt.AccessKey == "" || opt.SecretKey == "" {
		return nil, fmt.Errorf("%w: a backup to S3 needs a bucket, and credentials in AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY", event.ErrInput)
	}
	opt.Prefix = strings.Trim(opt.Prefix, "/")
	if opt.Prefix != "" {
		opt.Prefix += "/"
	}
	client, err := minio.New(place.Host, &minio.Options{
		Creds:  credentials.NewStaticV4(opt.AccessKey, opt.SecretKey, ""),
		Secure: place.Scheme == "https", Region: opt.Region, MaxRetries: s3Tries, Transport: opt.Transport,
		BucketLookup: minio.BucketLookupAuto,
	})
	if err != nil {
		return nil, fmt.Errorf("open backup target: %w", err)
	}
	return &S3{client: client, opt: opt}, nil
}

// String is part of Target.
func (s *S3) String() string { return "s3://" + s.opt.Bucket + "/" + s.opt.Prefix }

// Put is part of Target: the service shows an object only once all of it has come.
func (s *S3) Put(ctx context.Context, name string, r io.Reader, size int64) error {
	if err := checkName(name); err != nil {
		return err
	}
	done, err := s.client.PutObject(ctx, s.opt.Bucket, s.opt.Prefix+name, r, size, minio.PutObjectOptions{
		ContentType: "application/octet-stream", PartSize: s3PartBytes, NumThreads: 1, SendContentMd5: true,
	})
	if err == nil && size >= 0 && done.Size != size {
		err = fmt.Errorf("%d bytes of %d came", done.Size, size)
	}
	if err != nil {
		return fmt.Errorf("write %s: %w", name, err)
	}
	return nil
}

// Get is part of Target.
func (s *S3) Get(ctx context.Context, name string) (io.ReadCloser, error) {
	if err := checkName(name); err != nil {
		return nil, err
	}
	object, err := s.client.GetObject(ctx, s.opt.Bucket, s.opt.Prefix+name, minio.GetObjectOptions{})
	if err == nil {
		_, err = object.Stat() // the first thing that is really asked of the service
	}
	if err != nil {
		if minio.ToErrorResponse(err).StatusCode == http.StatusNotFound && minio.ToErrorResponse(err).Code != "NoSuchBucket" {
			return nil, missing(name)
		}
		return nil, fmt.Errorf("read %s: %w", name, err)
	}
	return object, nil
}

// List is part of Target.
func (s *S3) List(ctx context.Context, prefix string, visit func(Object) error) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	for found := range s.client.ListObjectsIter(ctx, s.opt.Bucket, minio.ListObjectsOptions{Prefix: s.opt.Prefix + prefix, Recursive: true}) {
		if found.Err != nil {
			return fmt.Errorf("list backup: %w", found.Err)
		}
		err := visit(Object{Name: strings.TrimPrefix(found.Key, s.opt.Prefix), Bytes: found.Size, Modified: found.LastModified})
		if err != nil {
			return err
		}
	}
	return ctx.Err()
}

// Remove is part of Target.
func (s *S3) Remove(ctx context.Context, name string) error {
	if err := checkName(name); err != nil {
		return err
	}
	err := s.client.RemoveObject(ctx, s.opt.Bucket, s.opt.Prefix+name, minio.RemoveObjectOptions{})
	if err != nil && minio.ToErrorResponse(err).StatusCode != http.StatusNotFound {
		return fmt.Errorf("remove %s: %w", name, err)
	}
	return nil
}

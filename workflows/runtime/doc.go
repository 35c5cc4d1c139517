// Package runtime makes decisions durable, carries them out and recovers.
package runtime

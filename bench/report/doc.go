// Package report is what the bench found: the figures of every round, their medians,
// and how they are written down: a table, the raw figures, and charts.
package report

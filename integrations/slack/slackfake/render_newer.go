package slackfake

import (
	"fmt"
	"strings"
)

// renderNewer is a block of one of the newer kinds as text; ok is false for all others.
func (w *Server) renderNewer(b object) (text string, ok bool) {
	switch str(b, "type") {
	case "alert":
		return "! " + join([]string{str(b, "level"), w.renderText(obj(b, "text"))}, ": "), true
	case "container":
		return w.renderContainer(b), true
	case "data_table":
		return w.renderTable(b), true
	case "data_visualization":
		return renderChart(b), true
	case "plan":
		lines := []string{str(b, "title")}
		for _, t := range list(b, "tasks") {
			lines = append(lines, w.renderTask(t))
		}
		return strings.Join(lines, "\n"), true
	case "task_card":
		return w.renderTask(b), true
	}
	return "", false
}

// renderContainer is a container with what it hides.
func (w *Server) renderContainer(b object) string {
	title := w.renderText(obj(b, "title"))
	if rich := obj(b, "rich_text_title"); rich != nil {
		title = w.renderNested(rich["elements"])
	}
	mark := "|"
	if b["is_collapsible"] == true {
		mark = "v"
		if b["default_collapsed"] == true {
			mark = ">"
		}
	}
	lines := []string{mark + " " + join([]string{title, w.renderText(obj(b, "subtitle"))}, " - ")}
	for _, child := range list(b, "child_blocks") {
		for line := range strings.SplitSeq(w.renderBlock(child), "\n") {
			lines = append(lines, "  "+line)
		}
	}
	return strings.Join(lines, "\n")
}

func (w *Server) renderTable(b object) string {
	lines := []string{"table: " + str(b, "caption")}
	rows, _ := b["rows"].([]any)
	for _, row := range rows {
		var cells []string
		for _, cell := range list(object{"cells": row}, "cells") {
			cells = append(cells, w.renderCell(cell))
		}
		lines = append(lines, strings.Join(cells, " | "))
	}
	return strings.Join(lines, "\n")
}

func (w *Server) renderCell(cell object) string {
	switch str(cell, "type") {
	case "action_cell":
		return w.renderElement(obj(cell, "element"))
	case "raw_number":
		if str(cell, "text") == "" {
			return fmt.Sprint(cell["value"])
		}
	}
	return w.renderNested(cell)
}

func renderChart(b object) string {
	chart := obj(b, "chart")
	lines := []string{str(chart, "type") + " chart: " + str(b, "title")}
	for _, s := range list(chart, "segments") {
		lines = append(lines, fmt.Sprintf("%s: %v", str(s, "label"), s["value"]))
	}
	for _, s := range list(chart, "series") {
		var points []string
		for _, p := range list(s, "data") {
			points = append(points, fmt.Sprintf("%s %v", str(p, "label"), p["value"]))
		}
		lines = append(lines, str(s, "name")+": "+strings.Join(points, ", "))
	}
	return strings.Join(lines, "\n")
}

func (w *Server) renderTask(t object) string {
	mark := map[string]string{"in_progress": "[~]", "complete": "[x]", "error": "[!]"}[str(t, "status")]
	if mark == "" {
		mark = "[ ]"
	}
	return join([]string{mark, str(t, "title"), w.renderNested(obj(t, "details")["elements"]), w.renderNested(obj(t, "output")["elements"])}, " ")
}

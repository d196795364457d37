//go:build !linux

package main

func bind(int)             {}
func bindProcess(_, _ int) {}

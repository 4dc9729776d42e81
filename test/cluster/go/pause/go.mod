module infer.dev/pause

go 1.24

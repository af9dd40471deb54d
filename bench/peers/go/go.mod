module juggle/bench

go 1.19

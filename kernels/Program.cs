using Marketplace.Kernels;

await KernelHost.Build(args).RunAsync();

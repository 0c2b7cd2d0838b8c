using Marketplace.Functions.Hosting;

await StandaloneHost.Build(args).RunAsync();

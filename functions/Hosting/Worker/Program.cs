using Marketplace.Functions.Hosting.Worker;

await WorkerHost.Build(args).RunAsync();

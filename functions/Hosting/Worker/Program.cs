using System.Runtime.InteropServices;
using Marketplace.Functions.Hosting.Worker;

// The host starts a worker again only if it ended with an error, and one that a signal stopped is missed no less: 128 + 15.
using var signal = PosixSignalRegistration.Create(PosixSignal.SIGTERM, _ => Environment.ExitCode = 143);
await WorkerHost.Build(args).RunAsync();

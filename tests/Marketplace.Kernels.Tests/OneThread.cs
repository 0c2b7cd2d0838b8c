using System.Runtime.CompilerServices;
using TorchSharp;

namespace Marketplace.Kernels.Tests;

/// <summary>Test classes run side by side, on models so small that a second thread costs more than it does: where processors are busy, ten times the time.</summary>
internal static class OneThread
{
    [ModuleInitializer]
    internal static void Use() => torch.set_num_threads(1);
}

using Marketplace.Cli.Commands;

return await MarketplaceCommand.Run(args);

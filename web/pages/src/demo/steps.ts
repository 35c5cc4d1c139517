// The steps of the story that the visitor takes, in their order: with the shop, and with pipelines in AWS.
export const steps = (aws: boolean) => (aws ? ['approve', 'rollback', 'console'] : ['approve', 'look', 'rollback', 'careless', 'admit', 'good'])

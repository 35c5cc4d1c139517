// The steps of the story that the visitor takes, in their order.
export const steps = ['approve', 'look', 'rollback', 'careless', 'letin']
